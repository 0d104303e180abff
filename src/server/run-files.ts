import { posix } from "node:path";
import type { Readable } from "node:stream";
import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { Database } from "../store/database.ts";
import type { FileStore, StoredFile } from "../store/files.ts";
import type { ItemRecord, RunRecord } from "../store/records.ts";
import {
  closeRunFile,
  countRunFiles,
  deleteRunFile,
  emptyRunFile,
  expectRunFiles,
  listOpenRunFiles,
  listRunFiles,
  type OpenRunFile,
  type RunFileRecord,
  saveRunFile,
} from "../store/run-files.ts";
import { findRunById } from "../store/runs.ts";
import { requireRole } from "./services/authorize.ts";
import { type Page, pageSize } from "./services/page.ts";
import type { Principal } from "./services/principal.ts";
import type { Services } from "./services/services.ts";
import type { SignedUrls } from "./signed-urls.ts";

export interface Upload {
  readonly name: string;
  /** Carries its own credential: the client sends no API key with the file. */
  readonly uploadUrl: string;
}

/** Files of runs: addresses to send them to, and the keeping of what comes there. */
export interface RunFiles {
  /** An address for each file; RUN_NOT_FOUND, FORBIDDEN, or INPUT_INVALID for a name that can't be one. */
  createUploads(
    viewer: Principal,
    input: {
      readonly entityName: string;
      readonly projectName: string;
      readonly name: string;
      readonly files: readonly string[];
      readonly baseUrl: string;
    },
  ): Promise<{ run: RunRecord; files: readonly Upload[] }>;
  /**
   * The files that an agent of the wandb client has kept for a failed item. It sends them to its own run (of the project
   * model-registry, named as the agent) and names them in the failure; one that never arrived is not listed.
   */
  failureFiles(
    viewer: Principal,
    item: ItemRecord,
  ): Promise<readonly { readonly name: string; readonly size: number }[]>;
  /** One of them, read from its beginning. ITEM_FILE_NOT_FOUND. */
  openFailureFile(
    viewer: Principal,
    itemId: string,
    name: string,
  ): Promise<{ readonly size: number; readonly body: Readable }>;
  /** A page of the files that have arrived, by name. INPUT_INVALID. The run must be one that the viewer was given. */
  list(run: RunRecord, filter: RunFilesFilter): Promise<Page<RunFileRecord>>;
  count(run: RunRecord): Promise<number>;
  downloadUrl(file: RunFileRecord, baseUrl: string): Promise<string>;
  /** An address to send the file anew; FORBIDDEN. */
  uploadUrl(viewer: Principal, file: RunFileRecord, baseUrl: string): Promise<string>;
  /** RUN_FILE_NOT_FOUND, FORBIDDEN. */
  remove(viewer: Principal, file: { readonly runId: string; readonly name: string }): Promise<void>;
  /** A file has come to an address of this server. */
  received(path: string, stored: StoredFile): Promise<void>;
  /** One round: names whose addresses are no longer good, and whose files have come or never will. */
  sweep(): Promise<void>;
}

export interface RunFilesFilter {
  readonly names?: readonly string[] | null | undefined;
  /** With % and _ as SQL's LIKE has them. */
  readonly pattern?: string | null | undefined;
  readonly first?: number | null | undefined;
  /** The name before the first. */
  readonly after?: string | null | undefined;
}

export interface RunFilesDeps {
  readonly services: Pick<Services, "runs" | "agents" | "items">;
  readonly database: Database;
  readonly files: FileStore;
  readonly signedUrls: SignedUrls;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  readonly urlMinutes: number;
  /** Largest file, in bytes. */
  readonly maxBytes: number;
}

/** LAUNCH_DEFAULT_PROJECT of the wandb client, where its agents have their own runs. */
const AGENT_PROJECT = "model-registry";

/** More would be an answer too large to be of use; the client sends a handful. */
const MAX_FILES = 1000;

/** Names that are looked up in the file store in one round, and how many of them at once. */
const ROUND = 1000;
const AT_ONCE = 16;

export function createRunFiles(deps: RunFilesDeps): RunFiles {
  const { services, database, files, signedUrls, clock, logger, urlMinutes, maxBytes } = deps;
  const { kysely } = database;
  /** An upload that began in time may take as long again. */
  const openMs = 2 * urlMinutes * 60_000;

  const pathOf = (runId: string, name: string) => `runs/${runId}/files/${checkedName(name).join("/")}`;

  /** Asks the file store, and keeps what it says. An address says nothing of a size: what is too large goes when it is seen. */
  async function look({ runId, name }: OpenRunFile): Promise<void> {
    const path = pathOf(runId, name);
    const info = await files.info(path);
    if (!info) return;
    if (info.size > maxBytes) {
      logger.warn({ runId, name, size: info.size, maxBytes }, "a file larger than SLIPWAY_FILE_MAX_BYTES is removed");
      await emptyRunFile(kysely, { runId, name });
      await files.remove(path);
      return;
    }
    await saveRunFile(kysely, { runId, name, size: info.size, md5: info.md5 ?? null, updatedAt: info.changedAt });
  }

  /** Files that go past the server are seen when somebody asks for them. */
  async function lookAll(open: readonly OpenRunFile[]): Promise<void> {
    for (let i = 0; i < open.length; i += AT_ONCE) await Promise.all(open.slice(i, i + AT_ONCE).map(look));
  }

  async function refresh(run: RunRecord): Promise<void> {
    if (files.direct) await lookAll(await listOpenRunFiles(kysely, { runId: run.id }, ROUND));
  }

  /** A key that was made for one run sees no run but its own. */
  function requireWrite(viewer: Principal, run: RunRecord, what: string): void {
    if (viewer.run === null) requireRole(viewer, { id: run.entityId, name: run.entityName }, "MEMBER", what);
  }

  /** The run of a file that the viewer may change. */
  async function writable(viewer: Principal, file: { runId: string; name: string }, what: string): Promise<RunRecord> {
    const known = await findRunById(kysely, file.runId);
    const run =
      known &&
      (await services.runs.get(viewer, {
        entityName: known.entityName,
        projectName: known.projectName,
        name: known.name,
      }));
    if (!run) throw new SlipwayError("RUN_FILE_NOT_FOUND", { values: { name: file.name } });
    requireWrite(viewer, run, what);
    return run;
  }

  async function openUpload(run: RunRecord, names: readonly string[], baseUrl: string): Promise<Upload[]> {
    const paths = names.map((name) => pathOf(run.id, name));
    await expectRunFiles(kysely, run.id, [...new Set(names)], clock.now());
    return Promise.all(
      names.map(async (name, i) => ({
        name,
        uploadUrl: await signedUrls.uploadUrl({ path: paths[i] ?? "", baseUrl }),
      })),
    );
  }

  /** The agent's own run, where it has sent what it says of the item. */
  async function agentRun(viewer: Principal, item: ItemRecord): Promise<RunRecord | undefined> {
    const agent = item.agentId === null ? undefined : await services.agents.get(viewer, item.agentId);
    if (!agent) return undefined;
    return services.runs.get(viewer, { entityName: agent.entityName, projectName: AGENT_PROJECT, name: agent.name });
  }

  async function failureFiles(viewer: Principal, item: ItemRecord) {
    // Agents name what they like.
    const names = (item.error?.filePaths ?? []).filter((name) => nameProblem(name) === undefined);
    const run = names.length === 0 ? undefined : await agentRun(viewer, item);
    if (!run) return [];
    const found = await Promise.all(
      names.map(async (name) => {
        const path = pathOf(run.id, name);
        return { name, path, size: await files.size(path) };
      }),
    );
    return found.flatMap(({ name, path, size }) => (size === undefined || size > maxBytes ? [] : { name, path, size }));
  }

  return {
    failureFiles,

    async openFailureFile(viewer, itemId, name) {
      const item = await services.items.get(viewer, itemId);
      const file = item && (await failureFiles(viewer, item)).find((one) => one.name === name);
      if (!file) throw new SlipwayError("ITEM_FILE_NOT_FOUND", { values: { name, item: itemId } });
      return { size: file.size, body: files.stream(file.path) };
    },

    async createUploads(viewer, { entityName, projectName, name, files: names, baseUrl }) {
      const run = await services.runs.get(viewer, { entityName, projectName, name });
      if (!run) {
        throw new SlipwayError("RUN_NOT_FOUND", { values: { run: name, project: projectName, entity: entityName } });
      }
      requireWrite(viewer, run, "add files to runs");
      if (names.length > MAX_FILES) throw invalid(`at most ${MAX_FILES} files at once`);
      return { run, files: await openUpload(run, names, baseUrl) };
    },

    async list(run, { names, pattern, first, after }) {
      if (names && names.length > MAX_FILES) throw invalid(`at most ${MAX_FILES} names at once`);
      await refresh(run);
      const size = pageSize(first, MAX_FILES);
      const filter = {
        runId: run.id,
        // A person may write ./NAME; files are kept as NAME.
        ...(names && names.length > 0 ? { names: names.map((name) => posix.normalize(name)) } : {}),
        ...(pattern ? { pattern } : {}),
        ...(after ? { after } : {}),
      };
      const found = await listRunFiles(kysely, filter, size + 1);
      const nodes = found.slice(0, size);
      return { nodes, endCursor: nodes.at(-1)?.name ?? null, hasNextPage: found.length > size };
    },

    async count(run) {
      await refresh(run);
      return countRunFiles(kysely, run.id);
    },

    downloadUrl: ({ runId, name }, baseUrl) =>
      signedUrls.downloadUrl({ path: pathOf(runId, name), baseUrl, name: name.split("/").at(-1) ?? name }),

    async uploadUrl(viewer, { runId, name }, baseUrl) {
      const run = await writable(viewer, { runId, name }, "add files to runs");
      const [upload] = await openUpload(run, [name], baseUrl);
      return upload?.uploadUrl ?? "";
    },

    async remove(viewer, { runId, name }) {
      await writable(viewer, { runId, name }, "delete files of runs");
      // The row first: a file without a row is not seen, and its name may be used again.
      if (!(await deleteRunFile(kysely, runId, name))) {
        throw new SlipwayError("RUN_FILE_NOT_FOUND", { values: { name } });
      }
      await files.remove(pathOf(runId, name));
    },

    async received(path, { size, md5 }) {
      const [, runId, name] = /^runs\/([^/]+)\/files\/(.+)$/s.exec(path) ?? [];
      if (runId === undefined || name === undefined) return;
      await saveRunFile(kysely, { runId, name, size, md5, updatedAt: clock.now() });
    },

    async sweep() {
      const open = await listOpenRunFiles(kysely, { askedBefore: clock.now() - openMs }, ROUND);
      await lookAll(open);
      for (const file of open) await closeRunFile(kysely, file);
    },
  };
}

/** The parts of a file's name: a relative path of ordinary names, each short enough for any file system. */
function checkedName(name: string): readonly string[] {
  const problem = nameProblem(name);
  if (problem !== undefined) throw invalid(problem);
  return name.split("/");
}

function nameProblem(name: string): string | undefined {
  const odd = name.split("/").some((part) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    const bad = part === "" || part === "." || part === ".." || /[\u0000-\u001f\\]/.test(part);
    return bad || Buffer.byteLength(part) > 255;
  });
  return odd || name.length > 1024 ? `${name} can't be a file's name` : undefined;
}

const invalid = (problem: string) => new SlipwayError("INPUT_INVALID", { values: { problem }, where: "files" });
