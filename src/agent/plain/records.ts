import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunSpec } from "../../core/items/run-spec.ts";

/** What an agent of the plain protocol keeps of an item it has taken: the server keeps nothing of it for the agent. */
export interface PlainRecord {
  readonly itemId: string;
  readonly queue: string;
  readonly runId: string;
  /** As popped; the job's key may be in it. */
  readonly runSpec: RunSpec;
  readonly attempt: number;
  /**
   * popped: the server may or may not have taken our acknowledge. mine: it has. submitted: the training job exists.
   * ending: the run, which the code never began, is being ended for it.
   */
  readonly state: "popped" | "mine" | "submitted" | "ending";
  readonly trainingJobName?: string;
  /** Taken up again at this time, in milliseconds since 1970. */
  readonly notBefore?: number;
}

/** The records of one agent, a file each, so that whoever comes after it in this data directory goes on with them. */
export interface PlainRecords {
  all(): readonly PlainRecord[];
  get(itemId: string): PlainRecord | undefined;
  /** Written whole or not at all. */
  put(record: PlainRecord): void;
  remove(itemId: string): void;
  /** Makes the records of an agent that has died our own. A crash in the middle leaves the rest to the next try. */
  takeOver(agentId: string): void;
}

export function openPlainRecords(dataDir: string, agentId: string): PlainRecords {
  const directoryOf = (id: string) => join(dataDir, "plain-items", fileName(id));
  const directory = directoryOf(agentId);
  const records = new Map<string, PlainRecord>();
  const pathOf = (itemId: string) => join(directory, `${fileName(itemId)}.json`);
  read();

  function read(): void {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory).filter((one) => one.endsWith(".json"))) {
      const record = JSON.parse(readFileSync(join(directory, name), "utf8")) as PlainRecord;
      records.set(record.itemId, record);
    }
  }

  return {
    all: () => [...records.values()],
    get: (itemId) => records.get(itemId),
    put(record) {
      const path = pathOf(record.itemId);
      writeFileSync(`${path}.draft`, JSON.stringify(record), { mode: 0o600, flush: true });
      renameSync(`${path}.draft`, path);
      records.set(record.itemId, record);
    },
    remove(itemId) {
      rmSync(pathOf(itemId), { force: true });
      records.delete(itemId);
    },
    takeOver(other) {
      const from = directoryOf(other);
      let names: string[];
      try {
        names = readdirSync(from);
      } catch {
        return;
      }
      for (const name of names.filter((one) => one.endsWith(".json"))) {
        renameSync(join(from, name), join(directory, name));
      }
      rmSync(from, { recursive: true, force: true });
      read();
    },
  };
}

function fileName(id: string): string {
  return Buffer.from(id).toString("base64url");
}
