import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../core/clock.ts";
import { openSqlite } from "./sqlite.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "slipway-lock-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = () => openSqlite({ dataDir, clock: systemClock });
const source = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, name)).href);
const tsx = pathToFileURL(join(import.meta.dirname, "../../node_modules/tsx/dist/loader.mjs")).href;

/** Runs a program that opens the database of the directory as `database`. */
function program(body: string): string[] {
  const text = `import { openSqlite } from ${source("sqlite.ts")};
import { systemClock } from ${source("../core/clock.ts")};
import { insertEntity } from ${source("entities.ts")};
const database = await openSqlite({ dataDir: ${JSON.stringify(dataDir)}, clock: systemClock });
${body}`;
  const file = join(dataDir, "program.mts");
  writeFileSync(file, text);
  return ["--import", tsx, file];
}

test("commits are made to last, and foreign keys hold", async () => {
  const database = await open();
  const pragma = async (name: string) =>
    Object.values((await sql.raw<object>(`PRAGMA ${name}`).execute(database.kysely)).rows[0] ?? {})[0];
  expect(await pragma("journal_mode")).toBe("wal");
  expect(await pragma("synchronous")).toBe(2);
  expect(await pragma("foreign_keys")).toBe(1);
  await database.close();
});

test("one process has the directory; another is refused with its pid and goes on when it has ended", async () => {
  const child = spawn(process.execPath, program(`console.log("open"); setInterval(() => {}, 1000);`), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await expect(open()).rejects.toMatchObject({
    code: "DATA_DIR_IN_USE",
    message: `Another Slipway server (pid ${child.pid}) uses ${dataDir}`,
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  const database = await open();
  await expect(open()).rejects.toMatchObject({ message: expect.stringContaining(`pid ${process.pid}`) });
  await database.close();
  await (await open()).close();
});

test("what was acknowledged before a kill -9 is there, whole transactions only", async () => {
  const child = spawn(
    process.execPath,
    program(`for (let i = 0; ; i++) {
  await database.transaction(systemClock, async (tx) => {
    for (const half of ["a", "b"])
      await insertEntity(tx.kysely, { id: i + half, name: "n" + i + half, isTeam: true, now: tx.now });
    tx.event({ entityId: i + "a", kind: "queue", subject: String(i), data: {} });
  });
  process.stdout.write(i + "\\n");
}`),
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let told = "";
  for await (const chunk of child.stdout) {
    told += chunk;
    if (told.split("\n").length > 150) child.kill("SIGKILL");
  }
  const acknowledged = told.split("\n").slice(0, -1).map(Number);
  const database = await open();
  const ids = new Set((await database.kysely.selectFrom("entities").select("id").execute()).map((row) => row.id));
  const events = new Set(
    (await database.kysely.selectFrom("events").select("subject").execute()).map((e) => e.subject),
  );
  for (const i of acknowledged)
    expect([ids.has(`${i}a`), ids.has(`${i}b`), events.has(`${i}`)]).toEqual([true, true, true]);
  expect(ids.size).toBe(2 * events.size);
  await database.close();
});

test("several processes that start at once: one opens it, the others are refused and leave it whole", () => {
  const args = program(`await database.close(); console.log("closed");`);
  const script = 'for i in 1 2 3; do "$@" & pids="$pids $!"; done; for p in $pids; do wait $p; done; exit 0';
  const { stdout, stderr } = spawnSync("sh", ["-c", script, "sh", process.execPath, ...args], { encoding: "utf8" });
  const closed = stdout.split("closed").length - 1;
  const refused = stderr.split("DATA_DIR_IN_USE").length > 1 || closed === 3;
  expect({ closed: closed >= 1, refused }).toEqual({ closed: true, refused: true });
});
