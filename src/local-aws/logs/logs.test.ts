import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Libsql from "libsql";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clock } from "../../core/clock.ts";
import { compileFilterPattern } from "./filter-pattern.ts";
import { createLogStore, type LogStore } from "./log-store.ts";
import { filterLogEvents, getLogEvents } from "./read-events.ts";

const NOW = 1_790_000_000_000;
const clock: Clock = { now: () => NOW, sleep: async () => {} };
const GROUP = "/aws/sagemaker/TrainingJobs";

let dataDir: string;
let store: LogStore;
let database: Libsql.Database;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-logs-"));
  database = new Libsql(join(dataDir, "local-aws.db"));
  store = createLogStore({ db: database, dataDir }, clock);
});

afterEach(async () => {
  store.close();
  database.close();
  await rm(dataDir, { recursive: true, force: true });
});

const events = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ timestamp: NOW + from + index, message: `line ${from + index}` }));

interface Page {
  readonly events: { message: string; timestamp: number; logStreamName?: string; eventId?: string }[];
  readonly nextForwardToken: string;
  readonly nextBackwardToken: string;
  readonly nextToken?: string;
}

const find = (group: string, name: string) => store.stream(group, name)!;
const get = (input: object) => getLogEvents(store, GROUP, find, { logStreamName: "s", ...input } as never) as Page;
const filter = (input: object) => filterLogEvents(store, GROUP, find, input as never) as Page;
const texts = (page: Page) => page.events.map(({ message }) => message);

test("an append is one commit, however long, and lines that a loss of power took away are passed over", async () => {
  const statements = vi.spyOn(database, "exec");
  store.append(GROUP, "s", events(50_000));
  expect(statements.mock.calls.filter(([sql]) => sql === "COMMIT")).toHaveLength(1);
  statements.mockRestore();
  store.append(GROUP, "s", events(1, 50_000));
  const { id, bytes } = store.stream(GROUP, "s")!;
  await truncate(join(dataDir, "logs", `${id}.log`), bytes - 10);
  expect([...store.read(store.stream(GROUP, "s")!, "forward")].length).toBe(50_000);
  expect(database.pragma("synchronous")).toEqual([{ synchronous: 2 }]);
});

describe("GetLogEvents", () => {
  test("reads from the head in pages; the forward token stays when nothing is new, then goes on", () => {
    store.append(GROUP, "s", events(5));
    const first = get({ startFromHead: true, limit: 3 });
    expect(texts(first)).toEqual(["line 0", "line 1", "line 2"]);
    const second = get({ nextToken: first.nextForwardToken, limit: 3 });
    expect(texts(second)).toEqual(["line 3", "line 4"]);
    const third = get({ nextToken: second.nextForwardToken });
    expect(third.events).toEqual([]);
    expect(third.nextForwardToken).toBe(second.nextForwardToken);
    expect(second.nextForwardToken).toMatch(/^f\/\d{56}\/s$/);
    store.append(GROUP, "s", events(1, 5));
    expect(texts(get({ nextToken: third.nextForwardToken }))).toEqual(["line 5"]);
    // An empty page's backward token leads back over what came before.
    expect(texts(get({ nextToken: third.nextBackwardToken, limit: 2 }))).toEqual(["line 3", "line 4"]);
  });

  test("without a token gives the latest, in the order of time, and pages backwards", () => {
    store.append(GROUP, "s", events(5));
    const last = get({ limit: 2 });
    expect(texts(last)).toEqual(["line 3", "line 4"]);
    const before = get({ nextToken: last.nextBackwardToken, limit: 2 });
    expect(texts(before)).toEqual(["line 1", "line 2"]);
    expect(texts(get({ nextToken: before.nextForwardToken }))).toEqual(["line 3", "line 4"]);
    const start = get({ nextToken: get({ nextToken: before.nextBackwardToken }).nextBackwardToken });
    expect(start.events).toEqual([]);
  });

  test("an empty stream has tokens that find the first event later", () => {
    store.createGroup(GROUP);
    store.createStream(GROUP, "s");
    const head = get({ startFromHead: true });
    const tail = get({});
    store.append(GROUP, "s", events(2));
    expect(texts(get({ nextToken: head.nextForwardToken }))).toEqual(["line 0", "line 1"]);
    expect(texts(get({ nextToken: tail.nextForwardToken }))).toEqual(["line 0", "line 1"]);
  });

  test("start time is included, end time is not", () => {
    store.append(GROUP, "s", events(6));
    expect(texts(get({ startTime: NOW + 1, endTime: NOW + 4 }))).toEqual(["line 1", "line 2", "line 3"]);
    expect(texts(get({ startTime: NOW + 1, endTime: NOW + 4, startFromHead: true, limit: 2 }))).toEqual([
      "line 1",
      "line 2",
    ]);
    expect(texts(get({ endTime: NOW + 4, limit: 1 }))).toEqual(["line 3"]);
  });

  test("events that come late are put in their place", () => {
    store.append(GROUP, "s", events(2, 10));
    store.append(GROUP, "s", events(2, 0));
    expect(texts(get({ startFromHead: true }))).toEqual(["line 0", "line 1", "line 10", "line 11"]);
    expect(texts(get({ limit: 3 }))).toEqual(["line 1", "line 10", "line 11"]);
  });

  test("a wrong token is refused", () => {
    store.append(GROUP, "s", events(1));
    expect(() => get({ nextToken: "f/12" })).toThrow("The specified nextToken is invalid.");
  });
});

test("100,000 lines come back whole, in pages of at most 10,000 events and 1 MB", () => {
  for (let start = 0; start < 100_000; start += 2_000) store.append(GROUP, "s", events(2_000, start));
  let seen = 0;
  let token: string | undefined;
  for (;;) {
    const page = get(token === undefined ? { startFromHead: true } : { nextToken: token });
    for (const { message } of page.events) expect(message).toBe(`line ${seen++}`);
    if (page.nextForwardToken === token) break;
    expect(page.events.length).toBeLessThanOrEqual(10_000);
    token = page.nextForwardToken;
  }
  expect(seen).toBe(100_000);
});

test("bytes beyond the index, left by a crash, are overwritten", () => {
  store.append(GROUP, "s", events(2));
  database.exec("UPDATE log_streams SET bytes = bytes - 5, events = events - 1");
  database.exec("UPDATE log_chunks SET events = events - 1, length = (SELECT bytes FROM log_streams)");
  store.close();
  database.exec("UPDATE log_streams SET bytes = 0, events = 0");
  database.exec("DELETE FROM log_chunks");
  const again = createLogStore({ db: database, dataDir }, clock);
  again.append(GROUP, "s", [{ timestamp: NOW, message: "new" }]);
  expect([...again.read(again.stream(GROUP, "s")!, "forward")].map(({ message }) => message)).toEqual(["new"]);
  again.close();
});

describe("FilterLogEvents", () => {
  beforeEach(() => {
    store.append(GROUP, "job/algo-1-1", [
      { timestamp: NOW, message: "a1 ERROR" },
      { timestamp: NOW + 2, message: "a2" },
      { timestamp: NOW + 4, message: "a3 ERROR" },
    ]);
    store.append(GROUP, "job/algo-2-1", [
      { timestamp: NOW + 1, message: "b1" },
      { timestamp: NOW + 2, message: "b2 ERROR" },
    ]);
    store.append(GROUP, "other", [{ timestamp: NOW, message: "c" }]);
  });

  test("mixes the streams by time, in pages without gaps or repeats", () => {
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = filter({ logStreamNamePrefix: "job/", limit: 2, ...(nextToken === undefined ? {} : { nextToken }) });
      seen.push(...texts(page));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    expect(seen).toEqual(["a1 ERROR", "b1", "a2", "b2 ERROR", "a3 ERROR"]);
  });

  test("takes names, terms and times; the end time is included", () => {
    expect(texts(filter({ filterPattern: "ERROR", logStreamNamePrefix: "job/" }))).toEqual([
      "a1 ERROR",
      "b2 ERROR",
      "a3 ERROR",
    ]);
    expect(texts(filter({ logStreamNames: ["job/algo-2-1"], startTime: NOW + 2 }))).toEqual(["b2 ERROR"]);
    expect(texts(filter({ logStreamNamePrefix: "job/", endTime: NOW + 1 }))).toEqual(["a1 ERROR", "b1"]);
    expect(new Set(filter({}).events.map(({ eventId }) => eventId)).size).toBe(6);
  });

  test("an answer that would take long to find comes in parts, empty ones too", () => {
    const message = "x".repeat(1000);
    store.append(
      GROUP,
      "big",
      Array.from({ length: 10_000 }, (_, index) => ({
        timestamp: NOW + index,
        message: index === 9_999 ? "it" : message,
      })),
    );
    const pages: string[][] = [];
    let nextToken: string | undefined;
    do {
      const page = filter({ filterPattern: "it", ...(nextToken === undefined ? {} : { nextToken }) });
      pages.push(texts(page));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    expect(pages).toEqual([[], [], ["it"]]);
  });
});

test.each([
  ["", "anything", true],
  ["ERROR", "an ERROR", true],
  ["ERROR", "an error", false],
  ["ERROR disk", "disk ERROR", true],
  ["ERROR disk", "ERROR", false],
  ['"disk full"', "the disk full", true],
  ['"disk full"', "full disk", false],
  ["?a1 ?b2", "b2", true],
  ["?a1 ?b2", "c3", false],
  ["ERROR -known", "ERROR known", false],
  ["%loss=[0-9]+%", "loss=12", true],
])("pattern %s on %s: %s", (pattern, message, matches) => {
  expect(compileFilterPattern(pattern)([message])).toEqual([matches]);
});

test("an expression that runs away is refused", () => {
  const messages = ["a".repeat(60)];
  expect(() => compileFilterPattern("%(a+)+b%")(messages)).toThrow("takes too long");
  expect(compileFilterPattern("%a+$%")(messages)).toEqual([true]);
});

test("JSON patterns are refused", () => {
  expect(() => compileFilterPattern("{ $.x = 1 }")).toThrow("Invalid filter pattern");
});
