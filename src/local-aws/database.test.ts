import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "./database.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-local-aws-db-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const IN_USE = expect.objectContaining({ code: "LOCAL_AWS_IN_USE" });

test("one directory has one database open, until it is closed; statements that live on do not matter", () => {
  const first = openDatabase(dir);
  first.db.exec("CREATE TABLE t (a INTEGER)");
  const insert = first.db.prepare("INSERT INTO t (a) VALUES (?)");
  insert.run(1);
  expect(() => openDatabase(dir)).toThrow(IN_USE);
  insert.run(2);
  const unfinished = first.db.prepare("SELECT a FROM t").iterate();
  unfinished.next();
  first.close();
  for (let n = 0; n < 3; n++) {
    const again = openDatabase(dir);
    expect(again.db.prepare("SELECT count(*) AS n FROM t").get()).toMatchObject({ n: 2 + n });
    again.db.prepare("INSERT INTO t (a) VALUES (9)").run();
    expect(again.db.pragma("synchronous")).toEqual([{ synchronous: 2 }]);
    again.close();
  }
});

test("another process keeps the directory until it ends, also by kill -9", async () => {
  const script = `
    import { openDatabase } from ${JSON.stringify(new URL("./database.ts", import.meta.url).href)};
    const { db } = openDatabase(process.argv[1]);
    db.exec("CREATE TABLE t (a INTEGER)");
    db.exec("INSERT INTO t VALUES (1)");
    console.log("open");
    setInterval(() => db, 1000);
  `;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  expect(() => openDatabase(dir)).toThrow(IN_USE);
  child.kill("SIGKILL");
  await once(child, "exit");
  const after = openDatabase(dir);
  expect(after.db.prepare("SELECT a FROM t").get()).toMatchObject({ a: 1 });
  after.close();
});
