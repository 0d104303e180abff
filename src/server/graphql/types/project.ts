import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ProjectRecord } from "../../../store/records.ts";
import type { Page } from "../../services/page.ts";
import type { RunInList } from "../../services/run-queries.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { Entity, Project, Run, RunConnection, RunQueue, User } from "../refs.ts";
import { PageInfo } from "./page-info.ts";

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
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    isBenchmark: t.boolean({ description: "false: no project is published for comparison.", resolve: () => false }),
    readOnly: t.boolean({
      nullable: true,
      description: "Whether the caller may only read it.",
      resolve: (project, _args, { services, viewer }) => !services.projects.mayWrite(viewer, project),
    }),
    user: t.field({
      type: User,
      nullable: true,
      description: "Who made it; null for a project that the server made, as the one that stands for the queues.",
      resolve: (project, _args, { services, viewer }) =>
        project.userId === null ? null : services.accounts.userById(viewer, project.userId),
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
    runs: t.field({
      type: RunConnection,
      nullable: true,
      description:
        "filters: MongoDB-like JSON; order: +created_at, -summary_metrics.loss, several with commas (docs/reference/api.md).",
      args: {
        filters: t.arg({ type: "JSONString" }),
        order: t.arg.string(),
        first: t.arg.int(),
        after: t.arg.string(),
      },
      resolve: (project, { filters, order, first, after }, { services, viewer }) =>
        services.runQueries.list(viewer, project, {
          filters: filters ?? null,
          order: order ?? null,
          first: first ?? null,
          after: after ?? null,
        }),
    }),
    runCount: t.int({
      nullable: true,
      args: { filters: t.arg({ type: "JSONString" }) },
      resolve: (project, { filters }, { services, viewer }) =>
        services.runQueries.count(viewer, project, filters ?? null),
    }),
    run: t.field({
      type: Run,
      nullable: true,
      args: {
        name: t.arg.string({ required: true }),
        desc: t.arg.string({
          description: "Not used: `wandb verify` sends a long text in it to see whether it gets through.",
        }),
      },
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

const RunEdge = builder.objectRef<RunInList>("RunEdge").implement({
  fields: (t) => ({ node: t.field({ type: Run, resolve: ({ run }) => run }), cursor: t.exposeString("cursor") }),
});

RunConnection.implement({
  fields: (t) => ({
    edges: t.field({ type: [RunEdge], resolve: (list) => list.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (list) => list }),
  }),
});

const ProjectEdge = builder.objectRef<ProjectRecord>("ProjectEdge").implement({
  fields: (t) => ({
    node: t.field({ type: Project, resolve: (project) => project }),
    cursor: t.exposeString("name"),
  }),
});

const ProjectConnection = builder.objectRef<Page<ProjectRecord>>("ProjectConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [ProjectEdge], resolve: (page) => page.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
  }),
});

builder.queryField("models", (t) =>
  t.field({
    type: ProjectConnection,
    nullable: true,
    description: "The projects of an entity (without a name, the caller's own), by name.",
    args: { entityName: t.arg.string(), first: t.arg.int(), after: t.arg.string() },
    resolve: (_root, { entityName, first, after }, { services, viewer }) =>
      services.projects.page(viewer, { entityName, first: first ?? null, after: after ?? null }),
  }),
);

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
    framework: t.string({ description: "Not kept; the client's document names it." }),
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
