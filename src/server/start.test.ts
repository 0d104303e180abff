import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readServerConfig } from "./config.ts";
import { startServer } from "./start.ts";

let dataDir: string;
const logger = pino({ level: "silent" });
const start = (env: Record<string, string> = {}, port = 0) =>
  startServer(readServerConfig(env, { dataDir, port }), { logger });
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(dataDir, ...path), "utf8"));

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-start-"));
});

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

async function viewer(url: string, key: string): Promise<unknown> {
  const body = JSON.stringify({ query: "{ viewer { username admin } }" });
  const response = await fetch(`${url}/graphql`, { method: "POST", body, headers: { authorization: `Bearer ${key}` } });
  return ((await response.json()) as { data?: { viewer: unknown } }).data?.viewer;
}

test("the first start makes an admin and tells its owner how to reach it; later ones keep it", async () => {
  const first = await start({ SLIPWAY_ADMIN_USER: "ana" });
  const made = readJson("credentials.json");
  expect(made).toEqual({ baseUrl: first.url, apiKey: expect.any(String), username: "ana", entity: "ana" });
  expect(statSync(join(dataDir, "credentials.json")).mode & 0o777).toBe(0o600);
  expect(readJson("run", "server.json")).toEqual({ url: first.url, pid: process.pid });
  expect(await viewer(first.url, made.apiKey)).toEqual({ username: "ana", admin: true });
  await first.close();
  expect(existsSync(join(dataDir, "run", "server.json"))).toBe(false);

  const second = await start({ SLIPWAY_ADMIN_USER: "eve" });
  expect(readJson("credentials.json")).toEqual({ ...made, baseUrl: second.url });
  expect(await viewer(second.url, made.apiKey)).toEqual({ username: "ana", admin: true });
  await second.close();
});

test("a given key is the admin's", async () => {
  const key = "k".repeat(40);
  const server = await start({ SLIPWAY_ADMIN_API_KEY: key });
  expect(await viewer(server.url, key)).toEqual({ username: "admin", admin: true });
  await server.close();
});

test("a data directory and a port serve one server, and a refused start leaves nothing open", async () => {
  const server = await start();
  await expect(start()).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
  const here = dataDir;
  dataDir = await mkdtemp(join(tmpdir(), "slipway-start-"));
  const { port } = new URL(server.url);
  await expect(start({}, Number(port))).rejects.toMatchObject({ code: "PORT_TAKEN" });
  await (await start()).close();
  await rm(dataDir, { recursive: true, force: true });
  dataDir = here;
  await server.close();
});

test("closing ends those who wait", async () => {
  const server = await start();
  const { apiKey } = readJson("credentials.json");
  const events = await fetch(`${server.url}/events?entity=admin`, { headers: { authorization: `Bearer ${apiKey}` } });
  const ended = events.text();
  await server.close();
  expect(await ended).toContain("event: ready");
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
});
