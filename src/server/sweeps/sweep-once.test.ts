import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase } from "../../../test/support/databases.ts";
import type { Database } from "../../store/database.ts";
import { createDirectoryFileStore, type FileStore } from "../../store/files.ts";
import { openPostgres } from "../../store/postgres.ts";
import { createServices, type Services } from "../services/services.ts";
import { type ControlPlane, createControlPlane, refOf } from "../testing/control-plane.ts";

/** Every server process goes round by itself; on one PostgreSQL they meet, and nothing may be done twice. */

const HOUR = 3_600_000;
const MANY = 12;

describe("two server processes that go round at once on one database", () => {
  let drop: () => Promise<void>;
  let databases: readonly [Database, Database];
  let plane: ControlPlane;
  let second: Services;
  let files: FileStore;
  let directory: string;

  beforeAll(async () => {
    const postgres = await createPostgresDatabase();
    drop = postgres.drop;
    const logger = pino({ level: "silent" });
    const open = () => openPostgres({ url: postgres.url, clock: { now: Date.now, sleep: async () => {} }, logger });
    databases = [await open(), await open()];
    plane = await createControlPlane(databases[0]);
    directory = await mkdtemp(join(tmpdir(), "slipway-second-"));
    files = createDirectoryFileStore(directory);
    second = createServices({ database: databases[1], files, clock: plane.clock, logger, random: randomBytes });
  });
  afterAll(async () => {
    await second?.close();
    await files?.close();
    await plane?.close();
    for (const database of databases ?? []) await database.close();
    await drop?.();
    await rm(directory, { recursive: true, force: true });
  });

  const rounds = async () => {
    for (let round = 0; round < 3; round++) await Promise.all([plane.services.sweep(), second.sweep()]);
  };
  const kinds = async (itemId: string, kind: string) =>
    (await plane.services.items.timeline(plane.admin, itemId, { after: 0, first: 100 })).filter(
      (entry) => entry.kind === kind,
    );
  const eventsOf = async (kind: string) => {
    const rows = await databases[0].kysely
      .selectFrom("events")
      .select(["subject", "data"])
      .where("kind", "=", kind)
      .execute();
    return rows.map(({ subject, data }) => ({ subject, ...(JSON.parse(data) as { state?: string; status?: string }) }));
  };
  const times = (subjects: readonly string[]) => {
    const count = new Map<string, number>();
    for (const subject of subjects) count.set(subject, (count.get(subject) ?? 0) + 1);
    return [...count.values()];
  };

  test("leases that have run out end once: what was not begun goes back, what runs is an orphan; silent agents are told of once", async () => {
    const { items } = plane.services;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    for (let i = 0; i < 2 * MANY; i++) await plane.push(queue);
    const leases = await plane.lease(agent, 2 * MANY);
    expect(leases).toHaveLength(2 * MANY);
    const claimed = leases.slice(MANY);
    for (const lease of claimed) await items.ack(plane.admin, { ...refOf(lease), runName: lease.item.runId });
    plane.clock.advance(HOUR);
    await rounds();
    for (const [index, lease] of leases.entries()) {
      const item = await plane.item(lease.item.id);
      const state = index < MANY ? "PENDING" : "CLAIMED";
      expect(item).toMatchObject({ state, attempt: 1, agentId: null, fencingToken: lease.item.fencingToken + 1 });
      expect(await kinds(item.id, "lease_expired")).toHaveLength(1);
    }
    const silent = (await eventsOf("agent")).filter(({ status }) => status === "SILENT");
    expect(silent.map(({ subject }) => subject)).toEqual([agent.id]);
  });

  test("runs that fell silent crash once, and the items of plain agents that waited for them fail once", async () => {
    const { items, runs } = plane.services;
    const queue = await plane.queue();
    const popped: string[] = [];
    for (let i = 0; i < MANY; i++) {
      await plane.push(queue);
      const lease = await items.pop(plane.admin, { entityName: "admin", queueName: queue.name });
      const item = lease?.item;
      if (!item) throw new Error("nothing was popped");
      await items.ack(plane.admin, { itemId: item.id, runName: item.runId });
      await runs.upsert(plane.admin, { entityName: "admin", projectName: "digits", name: item.runId });
      await runs.stream(plane.admin, { entityName: "admin", projectName: "digits", name: item.runId }, {});
      popped.push(item.id);
      const alone = { entityName: "admin", projectName: "digits", name: `alone-${i}` };
      await runs.upsert(plane.admin, alone);
      await runs.stream(plane.admin, alone, {});
    }
    plane.clock.advance(24 * HOUR);
    await rounds();
    for (const id of popped) {
      expect(await plane.item(id)).toMatchObject({ state: "FAILED", cause: "agent_lost" });
      expect(await kinds(id, "settled")).toHaveLength(1);
    }
    const crashed = (await eventsOf("run")).filter(({ state }) => state === "crashed");
    expect(crashed).toHaveLength(MANY);
    expect(times(crashed.map(({ subject }) => subject))).toEqual(Array.from({ length: MANY }, () => 1));
  });
});
