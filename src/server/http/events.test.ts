import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ManualClock, manualClock } from "../testing/manual-clock.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";

const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  OutputDataConfig: { S3OutputPath: "s3://bucket/output" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
});
const SPEC = JSON.stringify({ entity: "admin", project: "digits", docker: { docker_image: "some/image:tag" } });

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** One open stream; `next` gives the blocks between blank lines as they come. */
function reader(response: Response): { next(): Promise<string>; event(): Promise<Event>; cancel(): Promise<void> } {
  const stream = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const next = async () => {
    while (!rest.includes("\n\n")) {
      const { done, value } = await stream.read();
      if (done) throw new Error(`the stream ended: ${rest}`);
      rest += value;
    }
    const end = rest.indexOf("\n\n");
    const block = rest.slice(0, end);
    rest = rest.slice(end + 2);
    return block;
  };
  return {
    next,
    async event() {
      const fields = new Map(
        (await next()).split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
      );
      return { id: fields.get("id")!, event: fields.get("event")!, data: JSON.parse(fields.get("data")!) };
    },
    cancel: () => stream.cancel(),
  };
}

describe.each(databases)("live events on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;
  let clock: ManualClock;
  let queueId: string;

  beforeEach(async () => {
    database = await open();
    clock = manualClock();
    app = await createTestApp(database.database, { clock });
    const { upsertRunQueue } = await app.data<{ upsertRunQueue: { queueID: string } }>(
      `mutation Q($config: JSONString!) { upsertRunQueue(input: { entityName: "admin", projectName: "model-registry",
         queueName: "default", resourceType: "sagemaker", resourceConfig: $config }) { queueID } }`,
      { config: CONFIG },
    );
    queueId = upsertRunQueue.queueID;
  });

  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  const push = async () => {
    const { pushToRunQueueByName } = await app.data<{ pushToRunQueueByName: { runQueueItemId: string } }>(
      `mutation P($spec: JSONString!) { pushToRunQueueByName(input: { entityName: "admin", projectName: "model-registry",
         queueName: "default", runSpec: $spec }) { runQueueItemId } }`,
      { spec: SPEC },
    );
    return pushToRunQueueByName.runQueueItemId;
  };
  const stop = (id: string) =>
    app.data(`mutation S($id: ID!) { stopRunQueueItem(input: { runQueueItemId: $id }) { success } }`, { id });
  const listen = async (query: string, headers: Record<string, string> = {}) =>
    app.request(`/events?${query}`, { key: app.adminKey, headers });

  test("an item's events come as they happen, and a reader that was cut off misses none", async () => {
    const item = await push();
    const first = await listen(`item=${encodeURIComponent(item)}`);
    expect(first.headers.get("content-type")).toContain("text/event-stream");
    const live = reader(first);
    expect((await live.event()).event).toBe("ready");
    const other = await push();
    await stop(item);
    const stopped = await live.event();
    expect(stopped).toMatchObject({ event: "item", data: { id: item, kind: "item", state: "STOPPED", queueId } });
    expect(stopped.id).toBe(String(stopped.data.seq));
    await live.cancel();

    await stop(other);
    const again = reader(await listen("entity=admin", { "last-event-id": stopped.id }));
    expect((await again.event()).event).toBe("ready");
    for (;;) {
      const event = await again.event();
      expect(Number(event.id)).toBeGreaterThan(Number(stopped.id));
      if (event.event === "item" && event.data.state === "STOPPED") {
        expect(event.data.id).toBe(other);
        break;
      }
    }
    await again.cancel();

    const whole = reader(await listen(`queue=${encodeURIComponent(queueId)}&after=0`));
    await whole.event();
    const states = [];
    while (states.length < 4) {
      const { event, data } = await whole.event();
      if (event === "item") states.push(`${data.id === item ? "item" : "other"} ${data.state}`);
    }
    expect(states).toEqual(["item PENDING", "other PENDING", "item STOPPED", "other STOPPED"]);
    await whole.cancel();
  });

  test("a quiet stream says every 15 s that it lives, and ends when the server closes", async () => {
    const live = reader(await listen("entity=admin"));
    await live.event();
    const beat = live.next();
    await clock.sleeper(clock.now() + 15_000);
    clock.advance(15_000);
    expect(await beat).toMatch(/^: /);
    const end = live.next();
    app.closing.abort();
    await expect(end).rejects.toThrow("the stream ended");
  });

  test("a key that is deleted ends its streams", async () => {
    const { createApiKey } = await app.data<{ createApiKey: { key: string; apiKey: { id: string } } }>(
      `mutation { createApiKey(input: { name: "second" }) { key apiKey { id } } }`,
    );
    const response = await app.request("/events?entity=admin", { key: createApiKey.key });
    const live = reader(response);
    await live.event();
    await app.data(`mutation D($id: String!) { deleteApiKey(input: { id: $id }) { success } }`, {
      id: createApiKey.apiKey.id,
    });
    const drained = (async () => {
      for (;;) await live.next();
    })();
    const ended = expect(drained).rejects.toThrow("the stream ended");
    for (let beats = 0; beats < 4; beats++) {
      await clock.sleeper(clock.now() + 15_000);
      clock.advance(15_000);
    }
    await ended;
  });

  test("nobody hears of what they may not see", async () => {
    const eve = await app.user("eve");
    const item = await push();
    const status = async (query: string, key?: string) =>
      (await app.request(`/events?${query}`, key === undefined ? {} : { key })).status;
    expect(await status("entity=admin")).toBe(401);
    expect(await status("entity=admin", eve)).toBe(404);
    expect(await status(`item=${encodeURIComponent(item)}`, eve)).toBe(404);
    expect(await status(`queue=${encodeURIComponent(queueId)}`, eve)).toBe(404);
    expect(await status("", eve)).toBe(400);
    expect(await status("entity=eve&item=x", eve)).toBe(400);
    expect(await status("entity=eve&after=x", eve)).toBe(400);
  });
});
