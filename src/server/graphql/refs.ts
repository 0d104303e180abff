import type {
  AgentRecord,
  ApiKeyRecord,
  DefaultResourceConfigRecord,
  EntityRecord,
  ItemRecord,
  ProjectRecord,
  QueueRecord,
  RunRecord,
  TemplateVariableRecord,
  UserRecord,
} from "../../store/records.ts";
import type { Page } from "../services/page.ts";
import type { RunList } from "../services/run-queries.ts";
import { builder } from "./builder.ts";

/*
 * The nouns of the API and the record behind each. They refer to one another in circles, so their names are declared
 * here, and each file of types/ fills in one.
 */
export const User = builder.objectRef<UserRecord>("User");
export const ApiKey = builder.objectRef<ApiKeyRecord>("ApiKey");
export const Entity = builder.objectRef<EntityRecord>("Entity");
export const EntityConnection = builder.objectRef<readonly EntityRecord[]>("EntityConnection");
export const Project = builder.objectRef<ProjectRecord>("Project");
export const DefaultResourceConfig = builder.objectRef<DefaultResourceConfigRecord>("DefaultResourceConfig");
export const TemplateVariable = builder.objectRef<TemplateVariableRecord>("TemplateVariable");
export const Run = builder.objectRef<RunRecord>("Run");
export const RunConnection = builder.objectRef<RunList>("RunConnection");
export const RunQueue = builder.objectRef<QueueRecord>("RunQueue");
export const RunQueueItem = builder.objectRef<ItemRecord>("RunQueueItem");
export const RunQueueItemConnection = builder.objectRef<Page<ItemRecord>>("RunQueueItemConnection");
export const LaunchAgent = builder.objectRef<AgentRecord>("LaunchAgent");

/** The answer of mutations that have nothing else to tell. */
export const SuccessPayload = builder.objectRef<{ readonly success: boolean }>("SuccessPayload").implement({
  fields: (t) => ({ success: t.exposeBoolean("success") }),
});
