import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { RunRecord } from "../../../store/records.ts";
import type { RunRef } from "../../services/runs/access.ts";
import { builder } from "../builder.ts";
import { AlertSeverity } from "../enums.ts";
import { runOfId } from "../ids.ts";
import { Run, SuccessPayload } from "../refs.ts";

/** What is done to a run from outside its code, and the alerts that its code sends. */

const NotifyScriptableRunAlertInput = builder.inputType("NotifyScriptableRunAlertInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    projectName: t.string({ required: true }),
    runName: t.string({ required: true }),
    title: t.string({ required: true }),
    text: t.string({ required: true }),
    severity: t.field({ type: AlertSeverity, defaultValue: "INFO" as const }),
    waitDuration: t.field({ type: "Duration" }),
    clientMutationId: t.string(),
  }),
});

const byId = (name: string) =>
  builder.inputType(name, { fields: (t) => ({ id: t.id({ required: true }), clientMutationId: t.string() }) });
const StopRunInput = byId("StopRunInput");

const DeleteRunInput = builder.inputType("DeleteRunInput", {
  fields: (t) => ({ id: t.id({ required: true }), deleteArtifacts: t.boolean(), clientMutationId: t.string() }),
});

const UpdateRunStateInput = builder.inputType("UpdateRunStateInput", {
  fields: (t) => ({
    id: t.id({ required: true }),
    state: t.string({ required: true }),
    clientMutationId: t.string(),
  }),
});

const RewindRunInput = builder.inputType("RewindRunInput", {
  fields: (t) => ({
    runName: t.string({ required: true }),
    entityName: t.string(),
    projectName: t.string(),
    metricName: t.string({ required: true, description: "_step." }),
    metricValue: t.float({ required: true }),
    clientMutationId: t.string(),
  }),
});

const DeleteRunPayload = builder.objectRef<{ readonly clientMutationId: string | null }>("DeleteRunPayload").implement({
  fields: (t) => ({
    clientMutationId: t.exposeString("clientMutationId", { nullable: true }),
    success: t.boolean({ resolve: () => true }),
  }),
});

const StopRunPayload = builder.objectRef<{ readonly clientMutationId: string | null }>("StopRunPayload").implement({
  fields: (t) => ({
    clientMutationId: t.exposeString("clientMutationId", { nullable: true }),
    success: t.boolean({ resolve: () => true }),
  }),
});

const RewindRunPayload = builder
  .objectRef<{ readonly run: RunRecord }>("RewindRunPayload")
  .implement({ fields: (t) => ({ rewoundRun: t.expose("run", { type: Run }) }) });

builder.mutationFields((t) => ({
  notifyScriptableRunAlert: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: NotifyScriptableRunAlertInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const { entityName, projectName, runName, title, text, severity, waitDuration } = input;
      const ref = { entityName, projectName, name: runName };
      const alert = { title, text, severity: severity ?? "INFO", waitMs: waitDuration ?? 0 };
      await services.runs.alert(viewer, ref, alert);
      return { success: true };
    },
  }),
  stopRun: t.field({
    type: StopRunPayload,
    nullable: true,
    args: { input: t.arg({ type: StopRunInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.runs.stop(viewer, refOfId(input.id));
      return { clientMutationId: input.clientMutationId ?? null };
    },
  }),
  deleteRun: t.field({
    type: DeleteRunPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteRunInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.runs.remove(viewer, refOfId(input.id));
      return { clientMutationId: input.clientMutationId ?? null };
    },
  }),
  updateRunState: t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: UpdateRunStateInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.runs.setState(viewer, refOfId(input.id), input.state);
      return { success: true };
    },
  }),
  rewindRun: t.field({
    type: RewindRunPayload,
    nullable: true,
    args: { input: t.arg({ type: RewindRunInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      if (input.metricName !== "_step") {
        const problem = `a run goes back by its _step, not by ${input.metricName}`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "metricName" });
      }
      const ref = {
        entityName: input.entityName || viewer.entityName,
        projectName: input.projectName || "uncategorized",
        name: input.runName,
      };
      return { run: await services.runs.rewind(viewer, ref, input.metricValue) };
    },
  }),
}));

function refOfId(id: string): RunRef {
  const run = runOfId(id);
  if (!run)
    throw new SlipwayError("REQUEST_INVALID", { values: { problem: `${id} is not the id of a Run` }, where: "id" });
  return { entityName: run.entity, projectName: run.project, name: run.name };
}
