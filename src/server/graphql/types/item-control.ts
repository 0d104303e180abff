import type { ItemRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { requireKey } from "../ids.ts";
import { RunQueueItem } from "../refs.ts";
import { PushToRunQueuePayload } from "./item-queue.ts";

/* What people do to items. */

const StopRunQueueItemInput = builder.inputType("StopRunQueueItemInput", {
  fields: (t) => ({ runQueueItemId: t.id({ required: true }) }),
});

const StopRunQueueItemPayload = builder.objectRef<ItemRecord>("StopRunQueueItemPayload").implement({
  fields: (t) => ({
    success: t.boolean({ resolve: () => true }),
    runQueueItem: t.field({ type: RunQueueItem, resolve: (item) => item }),
  }),
});

const RetryRunQueueItemInput = builder.inputType("RetryRunQueueItemInput", {
  fields: (t) => ({ runQueueItemId: t.id({ required: true }) }),
});

builder.mutationFields((t) => ({
  stopRunQueueItem: t.field({
    type: StopRunQueueItemPayload,
    description: "Slipway: ask for an item to stop. PENDING is stopped at once; otherwise its agent is told.",
    args: { input: t.arg({ type: StopRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.stop(viewer, requireKey("RunQueueItem", input.runQueueItemId, "runQueueItemId")),
  }),
  retryRunQueueItem: t.field({
    type: PushToRunQueuePayload,
    description: "Slipway: push a new item with the run spec of a settled one.",
    args: { input: t.arg({ type: RetryRunQueueItemInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.items.retry(viewer, requireKey("RunQueueItem", input.runQueueItemId, "runQueueItemId")),
  }),
}));
