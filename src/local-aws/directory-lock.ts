import { join } from "node:path";
import Libsql from "libsql";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/**
 * Keeps the state directory to one local AWS: an open exclusive transaction on a database of its own, `local-aws.lock`, in which nothing
 * is ever written. The kernel ends the lock with the process, however that ends; releasing it ends it at once, which closing the real
 * database would not do (libsql keeps it open as long as a prepared statement waits for the garbage collector).
 * Throws LOCAL_AWS_IN_USE.
 */
export function lockDirectory(dir: string): { release(): void } {
  const lock = new Libsql(join(dir, "local-aws.lock"));
  try {
    lock.pragma("busy_timeout = 0");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof Error && /locked|busy/i.test(error.message))) throw error;
    throw new SlipwayError("LOCAL_AWS_IN_USE", { values: { dataDir: dir }, cause: error });
  }
  return {
    release() {
      lock.exec("ROLLBACK");
      lock.close();
    },
  };
}
