import type { LogCursorRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { LeaseRefInput, leaseRef } from "./lease-ref.ts";

export const LogCursor = builder.objectRef<LogCursorRecord>("LogCursor").implement({
  fields: (t) => ({
    node: t.exposeString("node"),
    stream: t.exposeString("stream"),
    cursor: t.exposeString("cursor"),
  }),
});

const LogLineInput = builder.inputType("LogLineInput", {
  fields: (t) => ({ at: t.field({ type: "Int64", required: true }), text: t.string({ required: true }) }),
});

const LogStreamInput = builder.inputType("LogStreamInput", {
  description:
    'from must be the stored cursor ("" at first); if it is not, nothing is stored and the answer tells the stored one.',
  fields: (t) => ({
    node: t.string({ required: true }),
    stream: t.string({ required: true }),
    from: t.string({ required: true }),
    to: t.string({ required: true }),
    lines: t.field({ type: [LogLineInput], required: true }),
  }),
});

const AppendRunQueueItemLogsInput = builder.inputType("AppendRunQueueItemLogsInput", {
  fields: (t) => ({
    lease: t.field({ type: LeaseRefInput, required: true }),
    streams: t.field({ type: [LogStreamInput], required: true }),
  }),
});

const AppendRunQueueItemLogsPayload = builder
  .objectRef<readonly LogCursorRecord[]>("AppendRunQueueItemLogsPayload")
  .implement({ fields: (t) => ({ cursors: t.field({ type: [LogCursor], resolve: (cursors) => cursors }) }) });

builder.mutationField("appendRunQueueItemLogs", (t) =>
  t.field({
    type: AppendRunQueueItemLogsPayload,
    description: "Slipway: append log lines of one or more nodes; exactly once, by each node's cursor.",
    args: { input: t.arg({ type: AppendRunQueueItemLogsInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.logs.append(viewer, { lease: leaseRef(input.lease), streams: input.streams }),
  }),
);
