import { randomUUID } from "node:crypto";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { RegistryCredentials } from "../registry-credentials.ts";
import type { Engine } from "./engine.ts";
import { readFields, textField, writeBytes, writeNumber } from "./protobuf.ts";

export interface SessionServices {
  /** What `RUN --mount=type=secret,id=ID` is given; undefined: there is no such secret. */
  readonly secret: (id: string) => Buffer | undefined;
  /** For the registry of a base image, by the host of its reference; undefined: anonymous. */
  readonly credentials: (host: string) => Promise<RegistryCredentials | undefined>;
}

export interface BuildSession {
  /** For the build's `session` parameter. */
  readonly id: string;
  close(): void;
}

/** Codes of gRPC (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const OK = 0;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

type Method = (request: Buffer) => Promise<{ status: number; message?: string; reply?: Buffer }>;

/**
 * Opens the connection over which BuildKit asks its client for secrets and registry credentials: HTTP/2 with gRPC on it, the
 * engine being the one that asks (https://github.com/moby/buildkit/tree/master/session). Rejects as Engine.upgrade does.
 */
export async function openBuildSession(
  engine: Engine,
  services: SessionServices,
  signal?: AbortSignal,
): Promise<BuildSession> {
  const id = randomUUID().replaceAll("-", "");
  const methods = methodsOf(services);
  const socket = await engine.upgrade("/session", "h2c", {
    headers: {
      "x-docker-expose-session-uuid": id,
      "x-docker-expose-session-name": "slipway",
      "x-docker-expose-session-sharedkey": "",
      "x-docker-expose-session-grpc-method": [...methods.keys()],
    },
    ...(signal === undefined ? {} : { signal }),
  });
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const method = methods.get(String(headers[":path"]));
    answer(stream, method).catch(() => stream.close());
  });
  // The engine going away ends its build too, which tells.
  server.on("sessionError", () => {});
  socket.on("error", () => {});
  server.emit("connection", socket as Duplex);
  return { id, close: () => socket.destroy() };
}

function methodsOf({ secret, credentials }: SessionServices): Map<string, Method> {
  return new Map<string, Method>([
    ["/grpc.health.v1.Health/Check", async () => ({ status: OK, reply: writeNumber(1, 1) })],
    [
      "/moby.buildkit.secrets.v1.Secrets/GetSecret",
      async (request) => {
        const id = textField(readFields(request), 1);
        const found = secret(id);
        if (found === undefined) return { status: NOT_FOUND, message: `secret ${id} not found` };
        return { status: OK, reply: writeBytes(1, found) };
      },
    ],
    [
      "/moby.filesync.v1.Auth/Credentials",
      async (request) => {
        const host = textField(readFields(request), 1);
        const found = await credentials(hostOfReference(host));
        if (found === undefined) return { status: OK, reply: Buffer.alloc(0) };
        // As the docker command does it: a token that stands for a password comes without a name.
        const [name, password] = "username" in found ? [found.username, found.password] : ["", found.identityToken];
        return { status: OK, reply: Buffer.concat([writeBytes(1, name), writeBytes(2, password)]) };
      },
    ],
  ]);
}

/** Docker Hub is called by the name of its registry's machine. */
function hostOfReference(host: string): string {
  return /^(registry-1\.|index\.|https:\/\/index\.)?docker\.io(\/v1\/)?$/.test(host) ? "docker.io" : host;
}

async function answer(stream: ServerHttp2Stream, method: Method | undefined): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  // One message of gRPC: a byte that says "not compressed", four bytes of length, the message.
  const request = Buffer.concat(parts).subarray(5);
  const done =
    method === undefined
      ? { status: UNIMPLEMENTED, message: "this session has no such method" }
      : await method(request).catch((error: Error) => ({ status: INTERNAL, message: error.message }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => {
    const message = "message" in done && done.message !== undefined ? done.message : "";
    stream.sendTrailers({ "grpc-status": String(done.status), "grpc-message": encodeURIComponent(message) });
  });
  if (!("reply" in done) || done.reply === undefined) return void stream.end();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(done.reply.length, 1);
  stream.end(Buffer.concat([head, done.reply]));
}
