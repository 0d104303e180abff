import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Tag, TrainingRequest } from "./request.ts";

export type JobStatus = "InProgress" | "Completed" | "Failed" | "Stopping" | "Stopped";
export type SecondaryStatus =
  | "Starting"
  | "Downloading"
  | "Training"
  | "Uploading"
  | "Stopping"
  | "Stopped"
  | "Completed"
  | "Failed"
  | "MaxRuntimeExceeded"
  | "MaxWaitTimeExceeded";

/** One step of SecondaryStatusTransitions. Times are milliseconds since 1970. */
export interface Transition {
  readonly status: SecondaryStatus;
  readonly start: number;
  readonly end?: number;
  readonly message: string;
}

export interface FinalMetric {
  readonly name: string;
  readonly value: number;
  readonly at: number;
}

/** What the controller must know to go on after a restart. */
export interface RunState {
  /** Secret of the job's credentials endpoint. */
  readonly token: string;
  readonly runtime?: "process" | "docker";
  /** Digest-addressed image, so that a tag that moves does not change a running job; absent for an image of an engine. */
  readonly imageUri: string;
  /** Seconds in the log streams' names. */
  readonly logEpoch?: number;
  /** How each host's container ended, once all have: from then on none is looked for. */
  readonly exits?: Readonly<Record<string, number>>;
  /** Who ended the training and when: a person, or a limit. The first one counts. */
  readonly stop?: { readonly cause: "stopped" | "maxRuntime" | "maxWait"; readonly at: number };
}

export interface TrainingJob {
  readonly name: string;
  readonly arn: string;
  readonly request: TrainingRequest;
  readonly status: JobStatus;
  readonly secondary: SecondaryStatus;
  readonly failureReason?: string;
  readonly transitions: readonly Transition[];
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly trainingStart?: number;
  readonly trainingEnd?: number;
  readonly modelArtifacts?: string;
  readonly metrics: readonly FinalMetric[];
  readonly run: RunState;
}

export interface JobChange {
  readonly status?: JobStatus;
  readonly failureReason?: string;
  readonly trainingStart?: number;
  readonly trainingEnd?: number;
  readonly modelArtifacts?: string;
  readonly metrics?: readonly FinalMetric[];
  readonly run?: Partial<RunState>;
}

export interface JobFilter {
  readonly nameContains?: string;
  readonly status?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  readonly modifiedAfter?: number;
  readonly modifiedBefore?: number;
  readonly sortBy: "Name" | "CreationTime" | "Status";
  readonly descending: boolean;
  /** Only jobs behind this one in the order. */
  readonly after?: { readonly key: string | number; readonly name: string };
  readonly limit: number;
}

export interface JobStore {
  /** False when the name is taken. */
  create(job: TrainingJob, tags: readonly Tag[]): boolean;
  get(name: string): TrainingJob | undefined;
  list(filter: JobFilter): TrainingJob[];
  /** Jobs that have not reached their end, oldest first. */
  unfinished(): TrainingJob[];
  /** Changes a job and enters a secondary status (staying in the same one changes its message). Returns the new state. */
  update(
    name: string,
    change: JobChange,
    enter?: { readonly status: SecondaryStatus; readonly message: string },
  ): TrainingJob;
  /** Replaces what was asked for (UpdateTrainingJob). */
  setRequest(name: string, request: TrainingRequest): void;
  delete(name: string): void;
  tags(arn: string): Tag[];
  setTags(arn: string, tags: readonly Tag[]): void;
}

const TERMINAL: readonly SecondaryStatus[] = [
  "Completed",
  "Failed",
  "Stopped",
  "MaxRuntimeExceeded",
  "MaxWaitTimeExceeded",
];
const SORT_COLUMN = { Name: "name", CreationTime: "created_at", Status: "status" } as const;

interface Row {
  readonly name: string;
  readonly status: JobStatus;
  readonly secondary: SecondaryStatus;
  readonly created_at: number;
  readonly modified_at: number;
  readonly document: string;
}

/** Training jobs and tags in the local AWS's database. Every change is one committed row. */
export function createJobStore(db: Database, clock: Clock): JobStore {
  db.exec(`
    CREATE TABLE IF NOT EXISTS training_jobs (
      name TEXT PRIMARY KEY, status TEXT NOT NULL, secondary TEXT NOT NULL, created_at INTEGER NOT NULL,
      modified_at INTEGER NOT NULL, document TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS training_jobs_created ON training_jobs (created_at);
    CREATE INDEX IF NOT EXISTS training_jobs_status ON training_jobs (status);
    CREATE TABLE IF NOT EXISTS sagemaker_tags (
      arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)) WITHOUT ROWID;
  `);
  const select = db.prepare("SELECT * FROM training_jobs WHERE name = ?");
  const insert = db.prepare("INSERT INTO training_jobs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  const write = db.prepare(
    "UPDATE training_jobs SET status = ?, secondary = ?, modified_at = ?, document = ? WHERE name = ?",
  );
  const putTag = db.prepare(
    "INSERT INTO sagemaker_tags VALUES (?, ?, ?) ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
  );

  const store: JobStore = {
    create: (job, tags) =>
      db.transaction(() => {
        const made =
          insert.run(job.name, job.status, job.secondary, job.createdAt, job.modifiedAt, serialize(job)).changes === 1;
        if (made) for (const tag of tags) putTag.run(job.arn, tag.Key, tag.Value);
        return made;
      })(),
    get(name) {
      const row = select.get(name) as Row | undefined;
      return row === undefined ? undefined : parse(row);
    },
    list(filter) {
      const column = SORT_COLUMN[filter.sortBy];
      const where: string[] = [];
      const values: (string | number)[] = [];
      const add = (sql: string, value: string | number | undefined) => {
        if (value === undefined) return;
        where.push(sql);
        values.push(value);
      };
      add("instr(lower(name), lower(?)) > 0", filter.nameContains);
      add("status = ?", filter.status);
      add("created_at > ?", filter.createdAfter);
      add("created_at < ?", filter.createdBefore);
      add("modified_at > ?", filter.modifiedAfter);
      add("modified_at < ?", filter.modifiedBefore);
      if (filter.after !== undefined) {
        const beyond = filter.descending ? "<" : ">";
        where.push(`(${column} ${beyond} ? OR (${column} = ? AND name ${beyond} ?))`);
        values.push(filter.after.key, filter.after.key, filter.after.name);
      }
      const direction = filter.descending ? "DESC" : "ASC";
      const sql = `SELECT * FROM training_jobs ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""}
        ORDER BY ${column} ${direction}, name ${direction} LIMIT ?`;
      return (db.prepare(sql).all(...values, filter.limit) as Row[]).map(parse);
    },
    unfinished: () =>
      (
        db
          .prepare("SELECT * FROM training_jobs WHERE status IN ('InProgress', 'Stopping') ORDER BY created_at, name")
          .all() as Row[]
      ).map(parse),
    update(name, change, enter) {
      const job = store.get(name);
      if (job === undefined) throw new Error(`no training job ${name}`);
      const now = clock.now();
      const next: TrainingJob = {
        ...job,
        ...change,
        run: { ...job.run, ...change.run },
        secondary: enter?.status ?? job.secondary,
        transitions: enter === undefined ? job.transitions : entered(job.transitions, enter.status, enter.message, now),
        modifiedAt: now,
      };
      write.run(next.status, next.secondary, now, serialize(next), name);
      return next;
    },
    setRequest(name, request) {
      const job = store.get(name);
      if (job !== undefined) write.run(job.status, job.secondary, clock.now(), serialize({ ...job, request }), name);
    },
    delete(name) {
      const job = store.get(name);
      if (job === undefined) return;
      db.transaction(() => {
        db.prepare("DELETE FROM sagemaker_tags WHERE arn = ?").run(job.arn);
        db.prepare("DELETE FROM training_jobs WHERE name = ?").run(name);
      })();
    },
    tags: (arn) =>
      (
        db.prepare("SELECT key, value FROM sagemaker_tags WHERE arn = ? ORDER BY key").all(arn) as {
          key: string;
          value: string;
        }[]
      ).map(({ key, value }) => ({ Key: key, Value: value })),
    setTags: db.transaction((arn: string, tags: readonly Tag[]) => {
      db.prepare("DELETE FROM sagemaker_tags WHERE arn = ?").run(arn);
      for (const tag of tags) putTag.run(arn, tag.Key, tag.Value);
    }),
  };
  return store;
}

function entered(
  transitions: readonly Transition[],
  status: SecondaryStatus,
  message: string,
  now: number,
): Transition[] {
  const last = transitions.at(-1);
  if (last?.status === status) return [...transitions.slice(0, -1), { ...last, message }];
  const closed = last === undefined ? [] : [...transitions.slice(0, -1), { ...last, end: now }];
  return [...closed, { status, start: now, message, ...(TERMINAL.includes(status) ? { end: now } : {}) }];
}

function serialize(job: TrainingJob): string {
  const {
    name: _name,
    status: _status,
    secondary: _secondary,
    createdAt: _created,
    modifiedAt: _modified,
    ...rest
  } = job;
  return JSON.stringify(rest);
}

function parse(row: Row): TrainingJob {
  const rest = JSON.parse(row.document) as JsonObject;
  return {
    ...(rest as unknown as TrainingJob),
    name: row.name,
    status: row.status,
    secondary: row.secondary,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}
