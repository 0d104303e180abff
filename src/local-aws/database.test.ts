import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { closeDatabase, openDatabase } from "./database.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-local-aws-db-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("one directory has one database open, until it is closed", () => {
  const first = openDatabase(dir);
  first.exec("CREATE TABLE t (a INTEGER)");
  const statement = first.prepare("INSERT INTO t (a) VALUES (?)");
  statement.run(1);
  expect(() => openDatabase(dir)).toThrow(expect.objectContaining({ code: "LOCAL_AWS_IN_USE" }));
  statement.run(2);
  closeDatabase(first);
  const second = openDatabase(dir);
  expect(second.prepare("SELECT count(*) AS n FROM t").get()).toMatchObject({ n: 2 });
  expect(second.pragma("synchronous")).toEqual([{ synchronous: 2 }]);
  closeDatabase(second);
});
