import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Libsql, { type Database } from "libsql";
import { lockDirectory } from "./directory-lock.ts";

/** Adds a column to a table that an earlier release has made without it. */
export function addColumn(db: Database, table: string, definition: string): void {
  const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[];
  if (columns.some(({ name }) => name === definition.split(" ")[0])) return;
  db.exec(`ALTER TABLE ${table} ADD COLUMN ${definition}`);
}

/** The database of one local AWS, and the right to its directory. */
export interface OpenDatabase {
  readonly db: Database;
  /** Gives the directory up at once; another local AWS may open it, in this process too. */
  close(): void;
}

/**
 * Opens `DIR/local-aws.db`, made if absent. Every commit is on the disk before it returns (WAL, synchronous FULL). A second local AWS on
 * the same directory is refused (LOCAL_AWS_IN_USE) instead of overwriting what the first one does.
 */
export function openDatabase(dir: string): OpenDatabase {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(dir);
  try {
    const db = new Libsql(join(dir, "local-aws.db"));
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    return {
      db,
      close() {
        try {
          // Leaves all of it in one file, unless a statement still reads.
          db.pragma("wal_checkpoint(TRUNCATE)");
        } finally {
          db.close();
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
