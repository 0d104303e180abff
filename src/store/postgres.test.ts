import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../test/support/databases.ts";
import { systemClock } from "../core/clock.ts";
import { openPostgres } from "./postgres.ts";

let store: TestDatabase;
beforeAll(async () => {
  const postgres = databases.find((dialect) => dialect.name === "postgres");
  if (!postgres) throw new Error("no PostgreSQL");
  store = await postgres.open();
});
afterAll(() => store?.close());

/** What is woken next. */
function nextWake(): Promise<string> {
  return new Promise((resolve) => {
    const stop = store.database.onWake((topic) => {
      stop();
      resolve(topic);
    });
  });
}
const wake = (queueId: string) =>
  store.database.transaction(systemClock, async (tx) => {
    await tx.kysely.selectFrom("entities").select("id").execute();
    tx.wakeQueue(queueId);
  });

test("a wake travels with the commit; one that is rolled back wakes nobody", async () => {
  const woken = nextWake();
  const failing = store.database.transaction(systemClock, async (tx) => {
    tx.wakeQueue("never");
    await sql`SELECT 1 / 0`.execute(tx.kysely);
  });
  await expect(failing).rejects.toThrow(/division by zero/);
  await wake("q1");
  expect(await woken).toBe("queue:q1");
});

test("when the connections are lost everybody looks again, and wakes go on", async () => {
  const again = nextWake();
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(store.database.kysely);
  expect(await again).toBe("*");
  const woken = nextWake();
  await wake("q2");
  expect(await woken).toBe("queue:q2");
});

test("events become visible in the order of their numbers: a later one waits for an earlier one that is not committed", async () => {
  const { kysely, dialect, transaction } = store.database;
  const event = (subject: string) => ({ entityId: "e", kind: "queue" as const, subject, data: {} });
  let later: Promise<string> | undefined;
  await kysely.transaction().execute(async (trx) => {
    await dialect.beforeEvents(trx);
    const row = { ...event("earlier"), at: 1, queueId: null, data: "{}" };
    await trx.insertInto("events").values(row).execute();
    later = transaction(systemClock, async (tx) => {
      await tx.kysely.selectFrom("entities").select("id").execute();
      tx.event(event("later"));
      return "committed";
    });
    expect(await Promise.race([later, waitingForLock().then(() => "waits")])).toBe("waits");
    expect(await kysely.selectFrom("events").select("seq").execute()).toEqual([]);
  });
  await later;
  const rows = await kysely.selectFrom("events").select("subject").orderBy("seq").execute();
  expect(rows.map((row) => row.subject)).toEqual(["earlier", "later"]);
});

async function waitingForLock(): Promise<void> {
  for (;;) {
    const found = await sql`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`.execute(
      store.database.kysely,
    );
    if (found.rows.length > 0) return;
    await systemClock.sleep(10);
  }
}

test("a transaction that loses a deadlock is run again", async () => {
  const { database } = store;
  const start = await database.transaction(systemClock, async ({ kysely, now }) => {
    for (const id of ["d1", "d2"])
      await kysely.insertInto("entities").values({ id, name: id, isTeam: 1, createdAt: now }).execute();
    return now;
  });
  let waiting = 0;
  let bothHold = () => {};
  const both = new Promise<void>((resolve) => {
    bothHold = resolve;
  });
  const raise = (id: string, kysely: typeof database.kysely) =>
    kysely.updateTable("entities").set({ createdAt: sql<number>`created_at + 1` }).where("id", "=", id).execute();
  const run = (first: string, second: string) => {
    let tried = false;
    return database.transaction(systemClock, async (tx) => {
      await raise(first, tx.kysely);
      if (!tried) {
        tried = true;
        if (++waiting === 2) bothHold();
        await both;
      }
      await raise(second, tx.kysely);
    });
  };
  await Promise.all([run("d1", "d2"), run("d2", "d1")]);
  const rows = await database.kysely
    .selectFrom("entities")
    .select("createdAt")
    .where("id", "in", ["d1", "d2"])
    .execute();
  expect(rows).toEqual([{ createdAt: start + 2 }, { createdAt: start + 2 }]);
});

test("a server that does not answer is named, without the password", async () => {
  const url = "postgres://me:hunter2@127.0.0.1:1/slipway";
  const opening = openPostgres({ url, clock: systemClock, logger: pino({ level: "silent" }) });
  const error = await opening.then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error).toMatchObject({ code: "DATABASE_UNREACHABLE", message: expect.stringContaining("127.0.0.1:1") });
  expect(error?.message).not.toContain("hunter2");
});
