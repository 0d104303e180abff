import { ITEM_CAUSES, ITEM_PHASES, ITEM_STATES } from "../../core/items/item-states.ts";
import { builder } from "./builder.ts";

export const AlertSeverity = builder.enumType("AlertSeverity", { values: ["INFO", "WARN", "ERROR"] as const });

export const RunQueueAccessType = builder.enumType("RunQueueAccessType", { values: ["PROJECT", "USER"] as const });

export const RunQueuePrioritizationMode = builder.enumType("RunQueuePrioritizationMode", {
  description: "V0: items come by priority, then age. DISABLED behaves the same for items that name no priority.",
  values: ["DISABLED", "V0"] as const,
});

export const RunQueueItemState = builder.enumType("RunQueueItemState", {
  description: "The wire's item states; core/item-states.ts holds the transition table.",
  values: ITEM_STATES,
});

export const ItemPhase = builder.enumType("ItemPhase", { values: ITEM_PHASES });

export const ItemCause = builder.enumType("ItemCause", {
  description: "Why an item ended (core/causes.ts).",
  values: ITEM_CAUSES,
});

export const MemberRole = builder.enumType("MemberRole", { values: ["VIEWER", "MEMBER", "ADMIN"] as const });
