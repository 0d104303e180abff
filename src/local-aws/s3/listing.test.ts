import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Database } from "libsql";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type OpenDatabase, openDatabase } from "../database.ts";
import { compareUtf8, listPage } from "./listing.ts";
import { createObjectRows, type ObjectRows } from "./object-rows.ts";
import { createS3Tables } from "./tables.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-listing-"));
let database: OpenDatabase;
let db: Database;
let rows: ObjectRows;

beforeAll(() => {
  database = openDatabase(dir);
  db = database.db;
  createS3Tables(db);
  db.pragma("synchronous = OFF");
  db.exec("INSERT INTO s3_buckets (name, region, created_at) VALUES ('b', 'us-east-1', 0)");
  rows = createObjectRows(db);
});
afterAll(() => {
  database.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => void db.exec("DELETE FROM s3_objects"));

function put(keys: readonly string[]): void {
  db.exec("DELETE FROM s3_objects");
  const insert = db.prepare(
    `INSERT INTO s3_objects (bucket, key, size, etag, modified_at, headers, metadata, tags, checksum, content)
     VALUES ('b', ?, 0, '', 0, '{}', '{}', '{}', NULL, '[]')`,
  );
  db.transaction(() => {
    for (const key of keys) insert.run(key);
  })();
}

/** The listing by its definition: all keys, in order, grouped. */
function expected(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const names = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      return at < 0 ? key : key.slice(0, at + delimiter.length);
    });
  return [...new Set(names)].toSorted(compareUtf8);
}

describe("listing a bucket", () => {
  // Few letters, so that prefixes and groups meet; among them two whose order in UTF-16 and UTF-8 differs.
  const key = fc
    .array(fc.constantFrom("a", "b", "/", "é", "\uffee", "🎉", "\u0001", "%"), { minLength: 1, maxLength: 6 })
    .map((letters) => letters.join(""));

  test("its pages, of any size, make up the whole listing", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 25 }),
        fc.constantFrom("", "a", "a/", "/", "🎉"),
        fc.constantFrom("", "/", "b", "a/"),
        fc.integer({ min: 1, max: 6 }),
        (keys, prefix, delimiter, maxKeys) => {
          put(keys);
          const names: string[] = [];
          for (let after = "", more = true; more; ) {
            const page = listPage(rows, "b", { prefix, delimiter, after, maxKeys });
            expect(page.entries.length).toBeLessThanOrEqual(maxKeys);
            names.push(...page.entries.map(({ name }) => name));
            more = page.isTruncated;
            after = names.at(-1) ?? "";
          }
          expect(names).toEqual(expected(keys, prefix, delimiter));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("more keys than one reading of the database takes", () => {
    const keys = Array.from({ length: 2500 }, (_, index) => `k${String(index).padStart(5, "0")}`);
    put(keys);
    const page = listPage(rows, "b", { prefix: "", delimiter: "", after: "", maxKeys: 2400 });
    expect(page.entries.map(({ name }) => name)).toEqual(keys.slice(0, 2400));
    expect(page.isTruncated).toBe(true);
    expect(listPage(rows, "b", { prefix: "", delimiter: "", after: "k02400", maxKeys: 99 })).toMatchObject({
      isTruncated: false,
    });
  });
});
