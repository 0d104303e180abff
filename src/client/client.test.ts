import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Client, createClient } from "./client.ts";
import { ItemDocument, PushDocument, StopItemDocument, ViewerDocument } from "./generated/operations.ts";
import type { LiveEvent } from "./live-events.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A client of an HTTP server that answers request number N by handler N (the last one from then on). */
async function clientOf(...handlers: Handler[]): Promise<{ client: Client; bodies: string[]; delays: number[] }> {
  const bodies: string[] = [];
  const delays: number[] = [];
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    handlers[Math.min(bodies.length, handlers.length) - 1]?.(request, response, body);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const clock = {
    now: () => 0,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      delays.push(ms);
    },
  };
  const baseUrl = `http://127.0.0.1:${((server as Server).address() as AddressInfo).port}/`;
  return { client: createClient({ baseUrl, apiKey: "key", clock, random: () => 0 }), bodies, delays };
}

const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };
const viewer = json({ data: { viewer: { username: "me" } } });
const hangUp: Handler = (request) => request.socket.destroy();
const pushInput = { input: { entityName: "me", projectName: "p", queueName: "q", runSpec: "{}" } };

async function refusalOf(promise: Promise<unknown>): Promise<SlipwayError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SlipwayError);
  return error as SlipwayError;
}

test("an operation is sent with its name and variables, and its data comes back", async () => {
  const { client, bodies } = await clientOf((request, response, body) => {
    expect(request.headers.authorization).toBe("Bearer key");
    viewer(request, response, body);
  });
  expect((await client.request(ViewerDocument, {})).viewer?.username).toBe("me");
  expect(JSON.parse(bodies[0] ?? "")).toMatchObject({ operationName: "Viewer", variables: {} });
});

test("a query is tried again after a broken connection, a 5xx and a 429 (waiting as it says)", async () => {
  const busy = json({}, 429, { "retry-after": "3" });
  const { client, bodies, delays } = await clientOf(hangUp, json({}, 503), busy, viewer);
  await client.request(ViewerDocument, {});
  expect(bodies).toHaveLength(4);
  expect(delays).toEqual([100, 200, 3_000]);
});

test("a push is never sent twice, unless the server says that it did nothing", async () => {
  const broken = await clientOf(hangUp);
  expect((await refusalOf(broken.client.request(PushDocument, pushInput))).code).toBe("SERVER_UNREACHABLE");
  expect(broken.bodies).toHaveLength(1);
  server?.close();
  const busy = await clientOf(json({}, 429), json({ data: { pushToRunQueueByName: null } }));
  await busy.client.request(PushDocument, pushInput);
  expect(busy.bodies).toHaveLength(2);
});

test("a stop request may be repeated", async () => {
  const { client, bodies } = await clientOf(hangUp, json({ data: { stopRunQueueItem: { success: true } } }));
  await client.request(StopItemDocument, { id: "1" });
  expect(bodies).toHaveLength(2);
});

test("a refusal keeps the server's words, place and problems", async () => {
  const problems = [{ path: "ResourceConfig.InstanceTyp", message: "unknown", hint: "InstanceType" }];
  const extensions = { code: "RESOURCE_CONFIG_INVALID", hint: "do this", where: "ResourceConfig", problems };
  const { client, bodies } = await clientOf(json({ errors: [{ message: "1 problem", extensions }] }));
  const error = await refusalOf(client.request(PushDocument, pushInput));
  expect(error).toMatchObject({ code: "RESOURCE_CONFIG_INVALID", message: "1 problem", hint: "do this", problems });
  expect(error.exitCode).toBe(2);
  expect(bodies).toHaveLength(1);
});

test("a code that this version does not know stays readable", async () => {
  const { client } = await clientOf(json({ errors: [{ message: "no", extensions: { code: "FROM_THE_FUTURE" } }] }));
  const error = await refusalOf(client.request(ItemDocument, { id: "1" }));
  expect(error.code).toBe("SERVER_REFUSED");
  expect(error.message).toContain("FROM_THE_FUTURE");
});

test("no server, a foreign server and a refused key are told apart", async () => {
  const foreign = await clientOf((_, response) => response.writeHead(200).end("<html>"));
  expect((await refusalOf(foreign.client.request(ViewerDocument, {}))).code).toBe("SERVER_ANSWER_INVALID");
  server?.close();
  const closed = await clientOf(json({}, 401));
  expect((await refusalOf(closed.client.request(ViewerDocument, {}))).code).toBe("NOT_LOGGED_IN");
  await new Promise((resolve) => {
    server?.close(resolve);
    server?.closeAllConnections();
  });
  const error = await refusalOf(closed.client.request(ViewerDocument, {}));
  expect(error.message).toContain("ECONNREFUSED");
  expect(error.exitCode).toBe(4);
});

test("live events go on after the last one that was seen when the connection breaks", async () => {
  const asked: (string | undefined)[] = [];
  const stop = new AbortController();
  const send =
    (text: string, end: boolean): Handler =>
    (request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(text);
      if (end) response.end();
    };
  const { client } = await clientOf(
    send('id: 1\nevent: item\ndata: {"n":1}\n\nid: 2\ndata: {"n":2}\n\n', true),
    json({}, 503),
    send('id: 3\ndata: {"n":3}\n\n', false),
  );
  const seen: LiveEvent[] = [];
  for await (const event of client.events({ entity: "me", signal: stop.signal })) {
    seen.push(event);
    if (seen.length === 3) stop.abort();
  }
  expect(seen.map((event) => event.data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(asked).toEqual([undefined, "2"]);
});
