import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import type { Database } from "../../store/database.ts";
import type { FileStore } from "../../store/files.ts";
import { sweepOnce } from "../sweeps/sweep-once.ts";
import { type AccountsService, createAccountsService } from "./accounts.ts";
import { type AgentsService, createAgentsService } from "./agents.ts";
import { type ArtifactListsService, createArtifactListsService } from "./artifacts/lists.ts";
import { type ArtifactsService, createArtifactsService } from "./artifacts.ts";
import { type CodeArchivesService, createCodeArchivesService } from "./code-archives.ts";
import { createServiceContext } from "./context.ts";
import { createEventsService, type EventsService } from "./events.ts";
import { createHistoryService, type HistoryService } from "./history.ts";
import { createItemsService, type ItemsService } from "./items.ts";
import { createLogsService, type LogsService } from "./logs.ts";
import { createProjectsService, type ProjectsService } from "./projects.ts";
import { createQueuesService, type QueuesService } from "./queues.ts";
import { createRunQueriesService, type RunQueriesService } from "./run-queries.ts";
import { createRunsService, type RunsService } from "./runs.ts";
import { createSweepsService, type SweepsService } from "./sweeps.ts";
import { createTeamsService, type TeamsService } from "./teams.ts";

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
  /** How long a plain agent may hold what it has popped and not acknowledged. */
  readonly acknowledgeMs: number;
  /** How many attempts an item has. */
  readonly maxAttempts: number;
  /** How long an agent may be silent and still count as alive. */
  readonly agentAliveMs: number;
  /** A plain agent's item whose run has begun and was not heard of for so long has failed. */
  readonly plainRunSilenceMs: number;
  /** A plain agent's item whose run has not begun so long after the acknowledge has failed. */
  readonly plainRunStartMs: number;
  /** A run that was not heard of for so long has crashed. The wandb client speaks every 30 seconds. */
  readonly runSilenceMs: number;
  /** How long a job's key is good after its item has settled. */
  readonly jobKeyGraceMs: number;
  readonly eventRetentionMs: number;
  readonly codeArchiveBytes: number;
  /** Of a content of an artifact. */
  readonly fileBytes: number;
  /** An artifact that is not committed so long after its begin is given up, and content that none names is deleted. */
  readonly artifactPendingMs: number;
}

/** The logic of the control plane. Every method that takes a principal checks what it may do. */
export interface Services {
  readonly accounts: AccountsService;
  readonly teams: TeamsService;
  readonly projects: ProjectsService;
  readonly queues: QueuesService;
  readonly items: ItemsService;
  readonly logs: LogsService;
  readonly agents: AgentsService;
  readonly runs: RunsService;
  readonly runQueries: RunQueriesService;
  readonly history: HistoryService;
  readonly sweeps: SweepsService;
  readonly events: EventsService;
  readonly codeArchives: CodeArchivesService;
  readonly artifacts: ArtifactsService;
  readonly artifactLists: ArtifactListsService;
  /** One round of everything that goes by time: leases, silent agents, plain agents' items, retention. */
  sweep(): Promise<void>;
  /** Does this too in each round, after the rest. */
  alsoSweep(work: () => Promise<void>): void;
  /** Starts sweeping once a second on the clock; stop by close(). */
  startSweeps(): void;
  close(): Promise<void>;
}

/** Between two rounds of sweeping, in milliseconds. */
const SWEEP_EVERY_MS = 1_000;

export function createServices(deps: ServiceDeps): Services {
  const context = createServiceContext(deps);
  const { clock, logger } = context;
  const closed = new AbortController();
  const others: (() => Promise<void>)[] = [];
  let sweeping: Promise<void> | undefined;

  async function sweep(): Promise<void> {
    await sweepOnce(context);
    for (const work of others) await work();
  }

  async function sweepUntilClosed(): Promise<void> {
    while (!closed.signal.aborted) {
      // A database that is away for a while must not end the sweeping for good.
      await sweep().catch((error: unknown) => logger.error({ err: error }, "a sweep failed"));
      await clock.sleep(SWEEP_EVERY_MS, closed.signal).catch(() => {});
    }
  }

  return {
    accounts: createAccountsService(context),
    teams: createTeamsService(context),
    projects: createProjectsService(context),
    queues: createQueuesService(context),
    items: createItemsService(context),
    logs: createLogsService(context),
    agents: createAgentsService(context),
    runs: createRunsService(context),
    runQueries: createRunQueriesService(context),
    history: createHistoryService(context),
    sweeps: createSweepsService(context),
    events: createEventsService(context),
    codeArchives: createCodeArchivesService(context),
    artifacts: createArtifactsService(context),
    artifactLists: createArtifactListsService(context),
    sweep,
    alsoSweep: (work) => void others.push(work),
    startSweeps() {
      sweeping ??= sweepUntilClosed();
    },
    async close() {
      closed.abort();
      await sweeping;
    },
  };
}
