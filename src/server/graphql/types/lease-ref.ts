import type { LeaseRef } from "../../services/items.ts";
import { builder } from "../builder.ts";
import { requireKey } from "../ids.ts";

export const LeaseRefInput = builder.inputType("LeaseRefInput", {
  fields: (t) => ({
    runQueueItemId: t.id({ required: true }),
    attempt: t.int({ required: true }),
    fencingToken: t.int({ required: true }),
  }),
});

export function leaseRef(input: typeof LeaseRefInput.$inferInput): LeaseRef {
  return {
    itemId: requireKey("RunQueueItem", input.runQueueItemId, "lease.runQueueItemId"),
    attempt: input.attempt,
    fencingToken: input.fencingToken,
  };
}
