import type { DefaultResourceConfigRecord, QueueCounts, QueueRecord, QueueVersionRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

export type PrioritizationMode = "DISABLED" | "V0";
export type QueueAccess = "PROJECT" | "USER";

export interface UpsertQueueInput {
  readonly entityName: string;
  readonly queueName: string;
  /** `sagemaker` */
  readonly resourceType: string;
  /** JSON text: `{resource_args: {sagemaker: {...}}}` or the bare CreateTrainingJob body. */
  readonly resourceConfig: string;
  /** JSON text: `{name: {schema, description?}}`. */
  readonly templateVariables?: string | null;
  readonly prioritizationMode?: PrioritizationMode | null;
  /** JSON text. */
  readonly externalLinks?: string | null;
  readonly configText?: string | null;
  readonly createOnly?: boolean | null;
}

/**
 * Queues and their configs. A config is checked when it is saved: CreateTrainingJob rules, template variables,
 * macros, an own TrainingJobName (RESOURCE_CONFIG_INVALID with a problem for each place).
 */
export interface QueuesService {
  get(principal: Principal, entityName: string, name: string): Promise<QueueRecord | undefined>;
  byId(principal: Principal, id: string): Promise<QueueRecord | undefined>;
  list(principal: Principal, entityName: string): Promise<readonly QueueRecord[]>;
  counts(principal: Principal, queueIds: readonly string[]): Promise<ReadonlyMap<string, QueueCounts>>;
  versions(principal: Principal, queueId: string): Promise<readonly QueueVersionRecord[]>;
  createDefaultResourceConfig(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly resource: string;
      readonly config: string;
      readonly templateVariables?: string | null;
    },
  ): Promise<DefaultResourceConfigRecord>;
  defaultResourceConfig(
    principal: Principal,
    entityName: string,
    id: string,
  ): Promise<DefaultResourceConfigRecord | undefined>;
  create(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly queueName: string;
      readonly access?: QueueAccess | null;
      readonly prioritizationMode?: PrioritizationMode | null;
      readonly defaultResourceConfigId?: string | null;
    },
  ): Promise<QueueRecord>;
  upsert(principal: Principal, input: UpsertQueueInput): Promise<QueueRecord>;
  /** PENDING items are stopped (cause deleted); QUEUE_BUSY while an agent holds an item. All or none. */
  delete(principal: Principal, queueIds: readonly string[]): Promise<void>;
}
