import { type Context, Hono } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { EventRecord } from "../../store/records.ts";
import { type GlobalIdType, globalId, keyOf } from "../graphql/ids.ts";
import type { Principal } from "../services/principal.ts";
import { authenticated } from "./authenticated.ts";
import type { AppDeps, AppEnv } from "./env.ts";
import { requestSignal } from "./request-signal.ts";

/** A comment is sent after so long without an event, so that a reader can tell a quiet stream from a dead one. */
const HEARTBEAT_MS = 15_000;
/** The key is looked up again this often: a deleted one ends its streams. */
const RECHECK_MS = 60_000;
const RETRY_MS = 1_000;
const BATCH = 200;

type Deps = Pick<AppDeps, "services" | "clock" | "logger" | "closing">;
type Matches = (event: EventRecord) => boolean;

/**
 * GET /events?item=ID | queue=ID | agent=ID | entity=NAME [&after=SEQ]: what happens, as it happens (server-sent events).
 * A reader that was cut off goes on where it was (Last-Event-ID, or after). Without either it begins with what comes
 * next; the first event, `ready`, says where that is.
 */
export function eventRoutes(deps: Deps): Hono<AppEnv> {
  const routes = new Hono<AppEnv>();
  routes.get("/events", authenticated(deps), async (context) => {
    const viewer = context.get("viewer");
    const { entityName, matches } = await filterOf(deps, viewer, context);
    const from = startOf(context);
    const { signal, release } = requestSignal(() => context.req.raw.signal, deps.closing);
    const body = readableOf(
      stream(deps, { viewer, apiKey: context.get("apiKey"), entityName, matches, from, signal }),
      release,
    );
    return context.body(body, 200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
  });
  return routes;
}

interface StreamOptions {
  readonly viewer: Principal;
  readonly apiKey: string;
  readonly entityName: string;
  readonly matches: Matches;
  readonly from: number | undefined;
  readonly signal: AbortSignal;
}

async function* stream({ services, clock, logger }: Deps, options: StreamOptions): AsyncGenerator<string> {
  const { apiKey, entityName, matches, signal } = options;
  let { viewer } = options;
  let after = options.from ?? (await services.events.latest());
  yield `retry: ${RETRY_MS}\n${message("ready", after, { seq: after })}`;
  let wroteAt = clock.now();
  let checkedAt = wroteAt;
  while (!signal.aborted) {
    const waitMs = Math.max(0, wroteAt + HEARTBEAT_MS - clock.now());
    let read: Awaited<ReturnType<typeof services.events.read>>;
    try {
      read = await services.events.read(viewer, { after, entityName, limit: BATCH, waitMs, signal });
    } catch (error) {
      // The reader comes again and goes on where it was.
      if (!signal.aborted) logger.warn({ err: error }, "an event stream ended early");
      return;
    }
    after = read.next;
    let text = read.truncated ? message("reset", after, { seq: after }) : "";
    for (const event of read.events) if (matches(event)) text += message(event.kind, event.seq, dataOf(event));
    const now = clock.now();
    // The comment carries no id, but a stream that saw only others' events for long would begin far back again.
    if (text === "" && now - wroteAt >= HEARTBEAT_MS) text = `: ${after}\nid: ${after}\n\n`;
    if (text !== "") {
      yield text;
      wroteAt = now;
    }
    if (now - checkedAt >= RECHECK_MS) {
      const again = await services.accounts.authenticate(apiKey);
      if (!again) return;
      viewer = again;
      checkedAt = now;
    }
  }
}

const message = (event: string, id: number, data: object) =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

const SUBJECT_TYPES: Readonly<Record<string, GlobalIdType>> = {
  item: "RunQueueItem",
  logs: "RunQueueItem",
  agent: "LaunchAgent",
  queue: "RunQueue",
};

function dataOf(event: EventRecord): object {
  const type = SUBJECT_TYPES[event.kind];
  const { agentId, itemId: _own, ...data } = event.data;
  return {
    ...data,
    ...(typeof agentId === "string" ? { agentId: globalId("LaunchAgent", agentId) } : {}),
    seq: event.seq,
    at: new Date(event.at).toISOString(),
    kind: event.kind,
    id: type === undefined ? event.subject : globalId(type, event.subject),
    queueId: event.queueId === null ? null : globalId("RunQueue", event.queueId),
  };
}

function startOf(context: Context<AppEnv>): number | undefined {
  const text = context.req.header("last-event-id") ?? context.req.query("after");
  if (text === undefined || text === "") return undefined;
  const seq = Number(text);
  if (Number.isSafeInteger(seq) && seq >= 0) return seq;
  throw new SlipwayError("REQUEST_INVALID", {
    values: { problem: `${text} is not a sequence number` },
    where: "after",
  });
}

async function filterOf(
  { services }: Deps,
  viewer: Principal,
  context: Context<AppEnv>,
): Promise<{ entityName: string; matches: Matches }> {
  const query = context.req.query();
  const given = ["item", "queue", "agent", "entity"].filter((name) => query[name]);
  const [by] = given;
  const value = by === undefined ? "" : query[by]!;
  if (given.length !== 1) {
    throw new SlipwayError("REQUEST_INVALID", { values: { problem: "Give one of item, queue, agent and entity" } });
  }
  switch (by) {
    case "item": {
      const item = await services.items.get(viewer, keyOf("RunQueueItem", value) ?? value);
      if (!item) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: value }, where: "item" });
      // An item of a queue that serves another's project is told to both owners: hear it from one.
      const owner = await services.accounts.entity(viewer, item.queueEntityName);
      return { entityName: owner?.name ?? item.entityName, matches: (event) => event.subject === item.id };
    }
    case "queue": {
      const queue = await services.queues.byId(viewer, keyOf("RunQueue", value) ?? value);
      if (!queue) {
        const values = { name: value, entity: viewer.entityName };
        throw new SlipwayError("QUEUE_NOT_FOUND", { values, where: "queue" });
      }
      return {
        entityName: queue.entityName,
        matches: (event) => event.queueId === queue.id || event.subject === queue.id,
      };
    }
    case "agent": {
      const agent = await services.agents.get(viewer, keyOf("LaunchAgent", value) ?? value);
      if (!agent) throw new SlipwayError("AGENT_NOT_FOUND", { values: { agent: value }, where: "agent" });
      return {
        entityName: agent.entityName,
        matches: (event) => event.subject === agent.id || event.data.agentId === agent.id,
      };
    }
    default: {
      const entity = await services.accounts.entity(viewer, value);
      if (!entity) throw new SlipwayError("ENTITY_NOT_FOUND", { values: { name: value }, where: "entity" });
      return { entityName: entity.name, matches: () => true };
    }
  }
}

/** Pulled by the reader: one that is slow holds nothing but its own place. */
function readableOf(lines: AsyncGenerator<string>, done: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done: ended, value } = await lines.next();
        if (!ended) return controller.enqueue(encoder.encode(value));
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      done();
    },
    async cancel() {
      done();
      await lines.return(undefined);
    },
  });
}
