import { createHmac, timingSafeEqual } from "node:crypto";
import type { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type FileStore, FileTooLarge } from "../store/files.ts";
import type { ItemRecord, RunRecord } from "../store/records.ts";
import { requireRole } from "./services/authorize.ts";
import type { Principal } from "./services/principal.ts";
import type { Services } from "./services/services.ts";

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
  /** Stores a file that was sent to such an address. UPLOAD_URL_INVALID, BODY_TOO_LARGE. */
  receive(
    upload: {
      readonly runId: string;
      readonly name: string;
      readonly expires: string;
      readonly signature: string;
    },
    body: Readable,
  ): Promise<{ size: number }>;
}

export interface RunFilesDeps {
  readonly services: Pick<Services, "runs" | "agents" | "items">;
  readonly files: FileStore;
  readonly clock: Clock;
  /** Signs addresses; the same for every server process on one data directory. */
  readonly secret: Uint8Array;
  readonly maxBytes: number;
  readonly urlMinutes: number;
}

/** LAUNCH_DEFAULT_PROJECT of the wandb client, where its agents have their own runs. */
const AGENT_PROJECT = "model-registry";

/** More would be an answer too large to be of use; the client sends a handful. */
const MAX_FILES = 1000;

export function createRunFiles({ services, files, clock, secret, maxBytes, urlMinutes }: RunFilesDeps): RunFiles {
  const sign = (runId: string, name: string, expires: number) =>
    createHmac("sha256", secret)
      .update(JSON.stringify(["upload", runId, name, expires]))
      .digest("hex");

  const pathOf = (runId: string, name: string) => `runs/${runId}/files/${checkedName(name).join("/")}`;

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
    return found.flatMap(({ name, path, size }) => (size === undefined ? [] : { name, path, size }));
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
      // A key that was made for one run sees no run but its own.
      if (viewer.run === null) {
        requireRole(viewer, { id: run.entityId, name: run.entityName }, "MEMBER", "add files to runs");
      }
      if (names.length > MAX_FILES) throw invalid(`at most ${MAX_FILES} files at once`);
      const expires = Math.floor(clock.now() / 1000) + urlMinutes * 60;
      const uploads = names.map((file) => {
        const path = checkedName(file).map(encodeURIComponent).join("/");
        const query = `expires=${expires}&signature=${sign(run.id, file, expires)}`;
        return { name: file, uploadUrl: `${baseUrl}/uploads/${encodeURIComponent(run.id)}/${path}?${query}` };
      });
      return { run, files: uploads };
    },

    async receive({ runId, name, expires, signature }, body) {
      const until = Number(expires);
      const expected = Buffer.from(sign(runId, name, until));
      const given = Buffer.from(signature);
      const genuine = given.length === expected.length && timingSafeEqual(given, expected);
      if (!genuine || until * 1000 < clock.now()) {
        throw new SlipwayError("UPLOAD_URL_INVALID", { values: { minutes: urlMinutes } });
      }
      const path = pathOf(runId, name);
      try {
        return await files.put(path, body, { limit: maxBytes, check: () => {} });
      } catch (error) {
        if (!(error instanceof FileTooLarge)) throw error;
        throw new SlipwayError("BODY_TOO_LARGE", {
          values: { limit: maxBytes, setting: "SLIPWAY_FILE_MAX_BYTES" },
          cause: error,
        });
      }
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
