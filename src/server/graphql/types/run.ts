import type { RunRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { runGlobalId } from "../ids.ts";
import { Project, Run, RunQueueItem, User } from "../refs.ts";

const idOf = (run: RunRecord) => runGlobalId({ name: run.name, project: run.projectName, entity: run.entityName });

Run.implement({
  fields: (t) => ({
    id: t.id({
      description: "base64 of Run:v1:NAME:PROJECT:ENTITY, as the client builds it.",
      resolve: idOf,
    }),
    projectId: t.exposeInt("projectInternalId"),
    name: t.exposeString("name"),
    displayName: t.exposeString("displayName", { nullable: true }),
    description: t.exposeString("description", { nullable: true }),
    notes: t.exposeString("notes", { nullable: true }),
    config: t.expose("config", { type: "JSONString", nullable: true }),
    summaryMetrics: t.expose("summaryMetrics", { type: "JSONString", nullable: true }),
    state: t.exposeString("state", { nullable: true }),
    stopped: t.exposeBoolean("stopped", { nullable: true }),
    shouldStop: t.boolean({
      nullable: true,
      description: "It was asked to stop and has not ended yet.",
      resolve: (run) => run.stopped && (run.state === "pending" || run.state === "running"),
    }),
    running: t.boolean({ nullable: true, resolve: (run) => run.state === "running" }),
    failed: t.boolean({
      nullable: true,
      description: "It ended as failed or crashed.",
      resolve: (run) => run.state === "failed" || run.state === "crashed",
    }),
    tags: t.field({ type: ["String"], nullable: true, resolve: (run) => run.tags }),
    group: t.exposeString("groupName", { nullable: true }),
    groupName: t.exposeString("groupName", { nullable: true }),
    jobType: t.exposeString("jobType", { nullable: true }),
    commit: t.exposeString("commit", { nullable: true }),
    host: t.exposeString("host", { nullable: true }),
    program: t.exposeString("program", { nullable: true }),
    repo: t.exposeString("repo", { nullable: true }),
    sweepName: t.exposeString("sweepName", { nullable: true }),
    readOnly: t.boolean({ nullable: true, resolve: () => false }),
    createdAt: t.expose("createdAt", { type: "DateTime", nullable: true }),
    heartbeatAt: t.expose("heartbeatAt", { type: "DateTime", nullable: true }),
    user: t.field({
      type: User,
      nullable: true,
      resolve: (run, _args, { services, viewer }) =>
        run.userId === null ? null : services.accounts.userById(viewer, run.userId),
    }),
    project: t.field({
      type: Project,
      nullable: true,
      resolve: (run, _args, { services, viewer }) => services.projects.byId(viewer, run.projectId),
    }),
    runQueueItem: t.field({
      type: RunQueueItem,
      nullable: true,
      description: "Slipway: the queue item that this run belongs to.",
      resolve: (run, _args, { services, viewer }) =>
        run.itemId === null ? null : services.items.get(viewer, run.itemId),
    }),
  }),
});

const UpsertBucketInput = builder.inputType("UpsertBucketInput", {
  fields: (t) => ({
    id: t.string(),
    name: t.string(),
    modelName: t.string(),
    entityName: t.string(),
    groupName: t.string(),
    description: t.string(),
    displayName: t.string(),
    notes: t.string(),
    commit: t.string(),
    config: t.field({ type: "JSONString" }),
    host: t.string(),
    debug: t.boolean(),
    jobProgram: t.string(),
    jobRepo: t.string(),
    jobType: t.string(),
    state: t.string(),
    sweep: t.string(),
    tags: t.stringList(),
    summaryMetrics: t.field({ type: "JSONString" }),
    clientMutationId: t.string(),
  }),
});

const UpsertBucketPayload = builder
  .objectRef<{ readonly run: RunRecord; readonly inserted: boolean }>("UpsertBucketPayload")
  .implement({
    fields: (t) => ({
      bucket: t.expose("run", { type: Run, nullable: true }),
      inserted: t.exposeBoolean("inserted", { nullable: true }),
    }),
  });

const CreateRunFilesInput = builder.inputType("CreateRunFilesInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runName: t.string({ required: true }),
    files: t.stringList({ required: true }),
  }),
});

const RunFileUpload = builder
  .objectRef<{ readonly name: string; readonly uploadUrl: string }>("RunFileUpload")
  .implement({ fields: (t) => ({ name: t.exposeString("name"), uploadUrl: t.exposeString("uploadUrl") }) });

const CreateRunFilesPayload = builder
  .objectRef<{
    readonly runID: string;
    readonly files: readonly { readonly name: string; readonly uploadUrl: string }[];
  }>("CreateRunFilesPayload")
  .implement({
    fields: (t) => ({
      runID: t.exposeID("runID"),
      uploadHeaders: t.stringList({ resolve: () => [] }),
      files: t.field({ type: [RunFileUpload], resolve: ({ files }) => files }),
    }),
  });

builder.mutationFields((t) => ({
  upsertBucket: t.field({
    type: UpsertBucketPayload,
    nullable: true,
    args: { input: t.arg({ type: UpsertBucketInput, required: true }) },
    // Null means "leave alone": the client sends null for what it did not touch.
    resolve: (_root, { input }, { services, viewer }) =>
      services.runs.upsert(viewer, {
        id: input.id ?? null,
        name: input.name ?? null,
        projectName: input.modelName ?? null,
        entityName: input.entityName ?? null,
        groupName: input.groupName ?? null,
        description: input.description ?? null,
        displayName: input.displayName ?? null,
        notes: input.notes ?? null,
        commit: input.commit ?? null,
        config: input.config ?? null,
        host: input.host ?? null,
        program: input.jobProgram ?? null,
        repo: input.jobRepo ?? null,
        jobType: input.jobType ?? null,
        state: input.state ?? null,
        sweep: input.sweep ?? null,
        tags: input.tags ?? null,
        summaryMetrics: input.summaryMetrics ?? null,
      }),
  }),
  createRunFiles: t.field({
    type: CreateRunFilesPayload,
    nullable: true,
    args: { input: t.arg({ type: CreateRunFilesInput, required: true }) },
    resolve: async (_root, { input }, { runFiles, viewer, baseUrl }) => {
      const { run, files } = await runFiles.createUploads(viewer, {
        entityName: input.entityName,
        projectName: input.projectName,
        name: input.runName,
        files: input.files,
        baseUrl,
      });
      return { runID: idOf(run), files };
    },
  }),
}));
