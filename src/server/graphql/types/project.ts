import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ProjectRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { Entity, Project, Run, RunQueue } from "../refs.ts";

Project.implement({
  fields: (t) => ({
    id: t.id({ resolve: (project) => globalId("Project", project.id) }),
    internalId: t.string({ resolve: (project) => globalId("ProjectInternalId", project.internalId) }),
    name: t.exposeString("name"),
    entityName: t.exposeString("entityName"),
    entity: t.field({
      type: Entity,
      resolve: async (project, _args, { services, viewer }) => {
        const entity = await services.accounts.entityById(viewer, project.entityId);
        if (!entity) throw new Error(`project ${project.id} has no entity`);
        return entity;
      },
    }),
    description: t.exposeString("description", { nullable: true }),
    access: t.exposeString("access", { nullable: true }),
    views: t.field({ type: "JSON", nullable: true, resolve: () => null }),
    // A queue belongs to an entity; the client asks for it through a project, whichever name it uses.
    runQueues: t.field({
      type: [RunQueue],
      resolve: (project, _args, { services, viewer }) => services.queues.list(viewer, project.entityName),
    }),
    runQueue: t.field({
      type: RunQueue,
      nullable: true,
      args: { name: t.arg.string({ required: true }) },
      resolve: (project, { name }, { services, viewer }) => services.queues.get(viewer, project.entityName, name),
    }),
    run: t.field({
      type: Run,
      nullable: true,
      args: { name: t.arg.string({ required: true }) },
      resolve: (project, { name }, { services, viewer }) => services.runs.get(viewer, runOf(project, name)),
    }),
    bucket: t.field({
      type: Run,
      nullable: true,
      description: "The wandb client's older word for run.",
      args: {
        name: t.arg.string({ required: true }),
        missingOk: t.arg.boolean({ description: "The client's word; a run that is not there is null either way." }),
      },
      resolve: (project, { name }, { services, viewer }) => services.runs.get(viewer, runOf(project, name)),
    }),
  }),
});

const runOf = (project: ProjectRecord, name: string) => ({
  entityName: project.entityName,
  projectName: project.name,
  name,
});

builder.queryFields((t) => {
  const project = (description?: string) =>
    t.field({
      type: Project,
      nullable: true,
      ...(description === undefined ? {} : { description }),
      args: { name: t.arg.string(), entityName: t.arg.string() },
      resolve: (_root, { name, entityName }, { services, viewer }) =>
        name ? services.projects.get(viewer, entityName, name) : null,
    });
  return { project: project(), model: project("The wandb client's older word for project.") };
});

const UpsertModelInput = builder.inputType("UpsertModelInput", {
  fields: (t) => ({
    id: t.string(),
    name: t.string(),
    entityName: t.string(),
    description: t.string(),
    access: t.string(),
    views: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
  }),
});

const UpsertModelPayload = builder
  .objectRef<{ readonly project: ProjectRecord; readonly inserted: boolean }>("UpsertModelPayload")
  .implement({
    fields: (t) => ({
      project: t.expose("project", { type: Project, nullable: true }),
      model: t.expose("project", { type: Project, nullable: true }),
      inserted: t.exposeBoolean("inserted", { nullable: true }),
    }),
  });

builder.mutationField("upsertModel", (t) =>
  t.field({
    type: UpsertModelPayload,
    nullable: true,
    args: { input: t.arg({ type: UpsertModelInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const known = input.id ? await services.projects.byId(viewer, requireKey("Project", input.id, "id")) : undefined;
      if (input.id && !known) {
        throw new SlipwayError("PROJECT_NOT_FOUND", {
          values: { name: input.id, entity: viewer.entityName },
          where: "id",
        });
      }
      return services.projects.upsert(viewer, {
        entityName: known?.entityName ?? input.entityName ?? null,
        name: known?.name ?? input.name ?? "",
        description: input.description ?? null,
        access: input.access ?? null,
      });
    },
  }),
);
