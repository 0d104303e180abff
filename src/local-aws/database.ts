import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Libsql, { type Database } from "libsql";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/**
 * Opens `DIR/local-aws.db`, made if absent. Every commit is on the disk before it returns (WAL, synchronous FULL), and the
 * file is locked for as long as this process lives, so that a second local AWS on the same directory is refused
 * (LOCAL_AWS_IN_USE) instead of overwriting what the first one does.
 */
export function openDatabase(dir: string): Database {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const db = new Libsql(join(dir, "local-aws.db"));
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("locking_mode = EXCLUSIVE");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    // In exclusive mode the lock is taken by the first write.
    db.exec("CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    db.exec(
      "INSERT INTO settings (name, value) VALUES ('opened', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1",
    );
  } catch (error) {
    db.close();
    if (isBusy(error)) throw new SlipwayError("LOCAL_AWS_IN_USE", { values: { dataDir: dir }, cause: error });
    throw error;
  }
  return db;
}

/**
 * Closes the database and gives up its lock at once. Closing alone would keep it for as long as a prepared statement waits for
 * the garbage collector; libsql lets go of it where the write-ahead log is left first, which also leaves one whole file.
 */
export function closeDatabase(db: Database): void {
  db.pragma("journal_mode = DELETE");
  db.pragma("locking_mode = NORMAL");
  // The lock goes with the next access.
  db.exec("UPDATE settings SET value = value WHERE name = 'opened'");
  db.close();
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    /SQLITE_BUSY|database is locked/.test(`${(error as { code?: string }).code} ${error.message}`)
  );
}
