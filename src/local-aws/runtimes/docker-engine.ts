import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { askEngine, type EngineCall, EngineRefusal, refusalOf } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** Docker 20.10 and later, and Podman's socket, answer this version (docs.docker.com/reference/api/engine/version/v1.41). */
const API = "/v1.41";
const PING_TIMEOUT_MS = 2000;

/** The HTTP API of a container engine on this machine. Every call opens a connection of its own: an engine may come and go. */
export interface DockerEngine {
  /** DOCKER_HOST's value. */
  readonly host: string;
  /** Whether the engine answers. Never rejects. */
  ping(): Promise<boolean>;
  /** Rejects with EngineRefusal when the engine refuses, ENGINE_UNREACHABLE when it does not answer. */
  open(method: string, path: string, call?: EngineCall): Promise<IncomingMessage>;
  /** As `open`, and reads the answer as JSON; undefined for an answer without a body. */
  call(method: string, path: string, call?: EngineCall): Promise<unknown>;
  /** As `call`; undefined where the engine answers with one of the statuses. */
  callUnless(statuses: readonly number[], method: string, path: string, call?: EngineCall): Promise<unknown>;
}

/**
 * `host` is DOCKER_HOST's value. Only sockets of this machine (`unix://`) are taken, since the job's directories are bound into the containers;
 * with any other address the engine never answers.
 */
export function createDockerEngine(host: string): DockerEngine {
  const socketPath = host.startsWith("unix://") ? host.slice("unix://".length) : undefined;

  const unreachable = (reason: string) => new SlipwayError("ENGINE_UNREACHABLE", { values: { host, reason } });

  async function send(method: string, path: string, call: EngineCall & { readonly timeoutMs?: number }) {
    if (socketPath === undefined) throw unreachable("only a socket of this machine (unix://PATH) is taken");
    const { answer } = await askEngine({ socketPath }, { ...call, method, path: API + path }, unreachable);
    return answer;
  }

  async function open(method: string, path: string, call: EngineCall = {}): Promise<IncomingMessage> {
    const answer = await send(method, path, call);
    const status = answer.statusCode ?? 0;
    // 304: the container has that state already.
    if (status < 300 || status === 304) return answer;
    throw await refusalOf(answer);
  }

  async function call(method: string, path: string, options: EngineCall = {}): Promise<unknown> {
    const answer = await open(method, path, options);
    if (answer.headers["content-type"]?.startsWith("application/json") === true && answer.statusCode !== 204) {
      return json(answer).catch((error: unknown) => {
        options.signal?.throwIfAborted();
        throw brokenOff(host, error);
      });
    }
    answer.resume();
    return undefined;
  }

  return {
    host,
    open,
    call,
    async ping() {
      try {
        const answer = await send("GET", "/_ping", { timeoutMs: PING_TIMEOUT_MS });
        answer.resume();
        return answer.statusCode === 200;
      } catch {
        return false;
      }
    },
    async callUnless(statuses, method, path, options) {
      try {
        return await call(method, path, options);
      } catch (error) {
        if (error instanceof EngineRefusal && statuses.includes(error.status)) return undefined;
        throw error;
      }
    },
  };
}

/** The error of an answer that broke off: the engine was there and is gone. */
export function brokenOff(host: string, error: unknown): SlipwayError {
  const reason = `its answer broke off (${error instanceof Error ? error.message : String(error)})`;
  return new SlipwayError("ENGINE_UNREACHABLE", { values: { host, reason } });
}

/** Reads the progress lines of a pull or load to their end. Rejects with EngineRefusal when one of them tells of an error. */
export async function readProgress(answer: IncomingMessage): Promise<void> {
  let rest = "";
  let failure: string | undefined;
  const read = (line: string) => {
    if (line.trim() === "") return;
    const { error } = JSON.parse(line) as { error?: string };
    failure ??= error;
  };
  for await (const chunk of answer.setEncoding("utf8")) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop()!;
    lines.forEach(read);
  }
  read(rest);
  if (failure !== undefined) throw new EngineRefusal(500, failure);
}
