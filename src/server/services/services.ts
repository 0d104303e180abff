import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import type { Database } from "../../store/database.ts";
import type { FileStore } from "../../store/files.ts";
import type { AccountsService } from "./accounts.ts";
import type { AgentsService } from "./agents.ts";
import type { CodeArchivesService } from "./code-archives.ts";
import type { EventsService } from "./events.ts";
import type { ItemsService } from "./items.ts";
import type { LogsService } from "./logs.ts";
import type { ProjectsService } from "./projects.ts";
import type { QueuesService } from "./queues.ts";
import type { RunsService } from "./runs.ts";

export interface ServiceDeps {
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Random bytes for ids and keys. */
  readonly random: (bytes: number) => Uint8Array;
  readonly limits?: Partial<ServiceLimits>;
}

/** Times in milliseconds, sizes in bytes. */
export interface ServiceLimits {
  /** How long a lease lasts from its last renewal. */
  readonly leaseMs: number;
  /** How many attempts an item has. */
  readonly maxAttempts: number;
  /** How long an agent may be silent and still count as alive. */
  readonly agentAliveMs: number;
  /** A plain agent's item whose run has begun and was not heard of for so long has failed. */
  readonly plainRunSilenceMs: number;
  /** A plain agent's item whose run has not begun so long after the acknowledge has failed. */
  readonly plainRunStartMs: number;
  readonly eventRetentionMs: number;
  readonly codeArchiveBytes: number;
}

/** The logic of the control plane. Every method that takes a principal checks what it may do. */
export interface Services {
  readonly accounts: AccountsService;
  readonly projects: ProjectsService;
  readonly queues: QueuesService;
  readonly items: ItemsService;
  readonly logs: LogsService;
  readonly agents: AgentsService;
  readonly runs: RunsService;
  readonly events: EventsService;
  readonly codeArchives: CodeArchivesService;
  /** One round of everything that goes by time: leases, silent agents, plain agents' items, retention. */
  sweep(): Promise<void>;
  /** Starts sweeping once a second on the clock; stop by close(). */
  startSweeps(): void;
  close(): Promise<void>;
}
