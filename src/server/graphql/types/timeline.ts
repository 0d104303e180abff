import type { TimelineRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { ItemPhase, RunQueueItemState } from "../enums.ts";

export const TimelineEntry = builder.objectRef<TimelineRecord>("TimelineEntry").implement({
  fields: (t) => ({
    seq: t.expose("seq", { type: "Int64" }),
    at: t.expose("at", { type: "DateTime" }),
    attempt: t.exposeInt("attempt"),
    kind: t.exposeString("kind", {
      description:
        "pushed, leased, phase, claimed, released, lease_expired, adopted, waiting, warning, stop_requested, retry, settled, image, request, ...",
    }),
    state: t.expose("state", { type: RunQueueItemState, nullable: true }),
    phase: t.expose("phase", { type: ItemPhase, nullable: true }),
    actor: t.exposeString("actor", { nullable: true, description: "user:NAME, agent:NAME or server." }),
    message: t.exposeString("message", { nullable: true }),
    detail: t.field({ type: "JSON", nullable: true, resolve: (entry) => entry.detail }),
  }),
});
