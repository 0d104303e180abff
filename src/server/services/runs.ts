import type { RunRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

export interface RunRef {
  readonly entityName: string;
  readonly projectName: string;
  readonly name: string;
}

export interface UpsertRunInput {
  /** base64 of `Run:v1:NAME:PROJECT:ENTITY`; wins over name, project and entity. */
  readonly id?: string | null;
  readonly name?: string | null;
  readonly projectName?: string | null;
  readonly entityName?: string | null;
  readonly groupName?: string | null;
  readonly description?: string | null;
  readonly displayName?: string | null;
  readonly notes?: string | null;
  readonly commit?: string | null;
  readonly config?: string | null;
  readonly host?: string | null;
  readonly program?: string | null;
  readonly repo?: string | null;
  readonly jobType?: string | null;
  readonly state?: string | null;
  readonly sweep?: string | null;
  readonly tags?: readonly string[] | null;
  readonly summaryMetrics?: string | null;
}

export interface RunsService {
  get(principal: Principal, ref: RunRef): Promise<RunRecord | undefined>;
  /** A pending run becomes running: its code has spoken. Makes the project if there is none. */
  upsert(principal: Principal, input: UpsertRunInput): Promise<{ run: RunRecord; inserted: boolean }>;
  /**
   * The run's file stream was heard; `exitCode` once it has ended, which also settles the item of a plain agent.
   * `stopped` in the answer is what the training code obeys.
   */
  heartbeat(
    principal: Principal,
    ref: RunRef,
    input?: { readonly exitCode?: number | null },
  ): Promise<{ stopped: boolean }>;
  /** Stops the run's item too, if it has one. */
  stop(principal: Principal, ref: RunRef): Promise<RunRecord>;
}
