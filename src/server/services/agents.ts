import type { AgentRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

export interface AgentsService {
  /** `replaces`: the id the agent had before it died; its leases are let go at once. */
  create(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly queueIds: readonly string[];
      readonly hostname: string;
      readonly agentConfig?: string | null;
      readonly version?: string | null;
      readonly replaces?: string | null;
    },
  ): Promise<AgentRecord>;
  get(principal: Principal, id: string): Promise<AgentRecord | undefined>;
  /** Newest first; without `all` only those alive. */
  list(
    principal: Principal,
    entityName: string,
    options?: { readonly all?: boolean | null },
  ): Promise<readonly AgentRecord[]>;
  /** Those alive that serve a queue. */
  serving(principal: Principal, queueId: string): Promise<readonly AgentRecord[]>;
  /** Status (POLLING, RUNNING, KILLED) and heartbeat; KILLED lets go of what it has not acknowledged. */
  update(principal: Principal, input: { readonly id: string; readonly status?: string | null }): Promise<void>;
  stopPolling(principal: Principal, id: string): Promise<void>;
  /** Heard of in the last 90 s and not KILLED. */
  alive(agent: AgentRecord): boolean;
}
