import { builder } from "../builder.ts";
import { globalId } from "../ids.ts";
import { DefaultResourceConfig, TemplateVariable } from "../refs.ts";

TemplateVariable.implement({
  fields: (t) => ({
    name: t.exposeString("name"),
    schema: t.expose("schema", { type: "JSONString" }),
    description: t.exposeString("description", { nullable: true }),
  }),
});

DefaultResourceConfig.implement({
  fields: (t) => ({
    id: t.id({ resolve: (config) => globalId("DefaultResourceConfig", config.id) }),
    config: t.expose("config", { type: "JSON", nullable: true }),
    resource: t.exposeString("resource", { nullable: true }),
    templateVariables: t.field({
      type: [TemplateVariable],
      nullable: true,
      resolve: (config) => config.templateVariables,
    }),
  }),
});

const CreateDefaultResourceConfigInput = builder.inputType("CreateDefaultResourceConfigInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    resource: t.string({ required: true }),
    config: t.field({ type: "JSONString", required: true }),
    templateVariables: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
  }),
});

const CreateDefaultResourceConfigPayload = builder
  .objectRef<{ readonly id: string }>("CreateDefaultResourceConfigPayload")
  .implement({
    fields: (t) => ({
      defaultResourceConfigID: t.id({
        nullable: true,
        resolve: ({ id }) => globalId("DefaultResourceConfig", id),
      }),
      success: t.boolean({ resolve: () => true }),
    }),
  });

builder.mutationField("createDefaultResourceConfig", (t) =>
  t.field({
    type: CreateDefaultResourceConfigPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateDefaultResourceConfigInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.queues.createDefaultResourceConfig(viewer, {
        entityName: input.entityName,
        resource: input.resource,
        config: input.config,
        templateVariables: input.templateVariables ?? null,
      }),
  }),
);
