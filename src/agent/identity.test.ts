import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPredecessor, keepIdentity } from "./identity.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "slipway-identity-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const me = { id: "agent-1", baseUrl: "http://127.0.0.1:1", entity: "me" };

/** As if the process that wrote the file had died: its pid is one that has ended. */
function die(): void {
  const ended = spawnSync(process.execPath, ["-e", "0"]).pid;
  for (const name of readdirSync(join(dataDir, "agents"))) {
    const path = join(dataDir, "agents", name);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), pid: ended }));
  }
}

test("an agent that is alive is nobody's predecessor", () => {
  const forget = keepIdentity(dataDir, me);
  expect(findPredecessor(dataDir, me.baseUrl, me.entity)).toBeUndefined();
  forget();
  expect(readdirSync(join(dataDir, "agents"))).toEqual([]);
});

test("a dead one is taken over once, by an agent of the same server and entity", () => {
  keepIdentity(dataDir, me);
  die();
  expect(findPredecessor(dataDir, me.baseUrl, "other")).toBeUndefined();
  expect(findPredecessor(dataDir, "http://elsewhere", me.entity)).toBeUndefined();
  const found = findPredecessor(dataDir, me.baseUrl, me.entity);
  expect(found?.id).toBe("agent-1");
  expect(findPredecessor(dataDir, me.baseUrl, me.entity)).toBeUndefined();
  found?.giveBack();
  const again = findPredecessor(dataDir, me.baseUrl, me.entity);
  expect(again?.id).toBe("agent-1");
  again?.forget();
  expect(readdirSync(join(dataDir, "agents"))).toEqual([]);
});

test("a pid that is another process's by now does not keep the dead alive", () => {
  keepIdentity(dataDir, me);
  const path = join(dataDir, "agents", "agent-1.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), startedAt: "1" }));
  expect(findPredecessor(dataDir, me.baseUrl, me.entity)?.id).toBe("agent-1");
});

test("no data directory, no predecessor", () => {
  expect(findPredecessor(join(dataDir, "none"), me.baseUrl, me.entity)).toBeUndefined();
});
