import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Libsql from "libsql";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/**
 * Keeps a data directory to one process. The lock is the operating system's (an exclusive transaction on a database
 * file of its own), so it ends with the process however that ends, and no stale one is ever left; the text file beside it
 * only tells the pid for the message.
 */
export function takeLock(dataDir: string): { release(): void } {
  const pidFile = join(dataDir, "slipway.pid");
  const lock = new Libsql(join(dataDir, "slipway.lock"));
  try {
    lock.pragma("busy_timeout = 0");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof Error && /locked|busy/i.test(error.message))) throw error;
    throw new SlipwayError("DATA_DIR_IN_USE", { values: { pid: readPid(pidFile), dir: dataDir }, cause: error });
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      lock.exec("ROLLBACK");
      lock.close();
    },
  };
}

function readPid(file: string): string {
  try {
    return readFileSync(file, "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}
