import { readFile } from "node:fs/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { askEngine, type EngineCall, type EnginePlace, refusalOf } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** Where a container engine answers, in the words of the docker command's own environment variables. */
export interface EngineAddress {
  /** DOCKER_HOST: `unix:///PATH`, `tcp://HOST:PORT`; the machine's own socket where absent. */
  readonly host?: string;
  /** True: TLS with the certificates of `certPath` (DOCKER_TLS_VERIFY). */
  readonly tls?: boolean;
  /** Directory of ca.pem, cert.pem and key.pem (DOCKER_CERT_PATH); `~/.docker` where absent. */
  readonly certPath?: string;
}

/** What an engine says of itself. */
export interface EngineAbilities {
  /** `1.41`, the newest that both sides speak. */
  readonly apiVersion: string;
  /** Whether it builds with BuildKit, which takes secrets and caches into a step without leaving them in a layer. */
  readonly buildKit: boolean;
}

/** The HTTP API of a container engine. Every call opens a connection of its own: an engine may come and go. */
export interface Engine {
  /** For messages. */
  readonly host: string;
  /** Asked once. Throws BUILD_ENGINE_UNREACHABLE. */
  abilities(): Promise<EngineAbilities>;
  /** Rejects with EngineRefusal when the engine refuses, BUILD_ENGINE_UNREACHABLE when it does not answer, the signal's reason. */
  open(method: string, path: string, call?: EngineCall): Promise<IncomingMessage>;
  /** As `open`, and reads the answer as JSON; undefined for an answer without a body. */
  json(method: string, path: string, call?: EngineCall): Promise<unknown>;
  /** Turns a request into a connection of its own (`Upgrade`). */
  upgrade(path: string, protocol: string, call?: Omit<EngineCall, "body">): Promise<Duplex>;
}

export const DEFAULT_ENGINE_HOST = "unix:///var/run/docker.sock";
/** What this program is written for; an engine that speaks only an older one is asked in that. */
const NEWEST = "1.43";
/** From 20.10 on BuildKit's own reader of Dockerfiles knows secrets and caches (docs.docker.com/build/buildkit). */
const BUILDKIT_SINCE = "1.41";
const PING_TIMEOUT_MS = 10_000;

/** Throws BUILD_ENGINE_UNREACHABLE for an address that is neither a unix socket nor tcp. */
export function createEngine(address: EngineAddress = {}): Engine {
  const host = address.host ?? DEFAULT_ENGINE_HOST;
  const unreachable = (reason: string, cause?: unknown) =>
    new SlipwayError("BUILD_ENGINE_UNREACHABLE", { values: { host, reason }, where: "DOCKER_HOST", cause });
  const place = placeOf(host);
  if (place === undefined) throw unreachable("only unix://PATH and tcp://HOST:PORT are spoken");
  let certificates: Promise<RequestOptions> | undefined;
  let asked: Promise<EngineAbilities> | undefined;

  /** The answer, or the raw connection of an upgrade. */
  async function send(method: string, path: string, call: EngineCall & { readonly timeoutMs?: number }) {
    call.signal?.throwIfAborted();
    const secure = address.tls === true && !("socketPath" in (place as object));
    if (secure) certificates ??= readCertificates(address.certPath ?? join(homedir(), ".docker"));
    const tls = secure
      ? await (certificates as Promise<RequestOptions>).catch((cause: Error) => {
          throw unreachable(`its certificates cannot be read: ${cause.message}`, cause);
        })
      : undefined;
    return askEngine(place as EnginePlace, { ...call, method, path, tls }, unreachable);
  }

  async function ask(): Promise<EngineAbilities> {
    const { answer } = await send("GET", "/_ping", { timeoutMs: PING_TIMEOUT_MS });
    answer.resume();
    const its = String(answer.headers["api-version"] ?? "1.24");
    const apiVersion = isOlder(its, NEWEST) ? its : NEWEST;
    const isPodman = answer.headers["libpod-api-version"] !== undefined;
    const isLinux = (answer.headers.ostype ?? "linux") === "linux";
    return { apiVersion, buildKit: isLinux && !isPodman && !isOlder(apiVersion, BUILDKIT_SINCE) };
  }

  function abilities(): Promise<EngineAbilities> {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  }

  async function open(method: string, path: string, call: EngineCall = {}): Promise<IncomingMessage> {
    const { apiVersion } = await abilities();
    const { answer } = await send(method, `/v${apiVersion}${path}`, call);
    if ((answer.statusCode ?? 0) < 300) return answer;
    throw await refusalOf(answer);
  }

  return {
    host,
    abilities,
    open,
    async json(method, path, call) {
      const answer = await open(method, path, call);
      const body = await text(answer);
      return body.trim() === "" ? undefined : JSON.parse(body);
    },
    async upgrade(path, protocol, call = {}) {
      const { apiVersion } = await abilities();
      const headers = { ...call.headers, connection: "Upgrade", upgrade: protocol };
      const { answer, socket } = await send("POST", `/v${apiVersion}${path}`, { ...call, headers });
      if (socket !== undefined) return socket;
      throw await refusalOf(answer);
    },
  };
}

function placeOf(host: string): EnginePlace | undefined {
  if (host.startsWith("unix://")) return { socketPath: host.slice("unix://".length) };
  const match = /^tcp:\/\/(\[[0-9a-f:]+\]|[^:/]+):(\d+)\/?$/i.exec(host);
  return match === null ? undefined : { host: match[1]!.replace(/^\[|\]$/g, ""), port: Number(match[2]) };
}

async function readCertificates(
  directory: string,
): Promise<RequestOptions & { ca: Buffer; cert: Buffer; key: Buffer }> {
  const read = (name: string) => readFile(join(directory, name));
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  return { ca, cert, key };
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = than.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
