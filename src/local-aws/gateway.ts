import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Access, requestKeys } from "./iam/authorize.ts";
import { guessProtocol, renderError } from "./render-error.ts";
import { type Incoming, readHead, withBody } from "./request.ts";
import { hostBucket } from "./s3/target.ts";
import { AwsError, type AwsResponse, type AwsService, type HttpRequest, type HttpRoutes } from "./service.ts";
import { authenticate, type KeyLookup } from "./sigv4/authenticate.ts";
import { claimsSignature } from "./sigv4/authorization.ts";
import type { Protocol } from "./sigv4/failures.ts";

export interface GatewayOptions {
  readonly services: readonly AwsService[];
  /** Paths of the same port that authenticate in their own way. */
  readonly routes: readonly HttpRoutes[];
  readonly keys: KeyLookup;
  readonly access: Access;
  readonly accountId: string;
  readonly region: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Gateway {
  readonly url: string;
  /** Stops listening, lets running requests end for `graceMs`, then cuts them. */
  close(graceMs?: number): Promise<void>;
}

const HEALTH_PATH = "/healthz";

/** Opens the one port of the local AWS. Throws PORT_TAKEN when it is taken. */
export async function openGateway(options: GatewayOptions, host: string, port: number): Promise<Gateway> {
  const byScope = new Map(options.services.map((service) => [service.scope, service]));
  const listener = (waits: boolean) => (message: IncomingMessage, response: ServerResponse) => {
    void serve(options, byScope, message, response, waits);
  };
  // A large upload takes as long as it takes; only the head of a request has a time limit.
  const server = createServer({ requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 65_000 }, listener(false));
  server.on("checkContinue", listener(true));
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return { url: `http://${name}:${address.port}`, close: (graceMs = 2000) => close(server, graceMs) };
}

async function serve(
  options: GatewayOptions,
  byScope: ReadonlyMap<string, AwsService>,
  message: IncomingMessage,
  response: ServerResponse,
  waitsForContinue: boolean,
): Promise<void> {
  const requestId = randomUUID();
  const startedAt = options.clock.now();
  let waits = waitsForContinue;
  const incoming = readHead(message, requestId, () => {
    if (waits) response.writeContinue();
    waits = false;
  });
  const answer = await answerTo(options, byScope, incoming);
  // A client that was never told to go on may or may not send its body: the connection is of no further use.
  if (waits) response.setHeader("connection", "close");
  response.setHeader("x-amzn-requestid", requestId);
  response.setHeader("x-amz-request-id", requestId);
  try {
    await send(answer, message, response);
  } catch (error) {
    options.logger.debug({ requestId, error: String(error) }, "the client went away before the answer was sent");
    response.destroy();
  }
  options.logger.debug(
    {
      requestId,
      method: incoming.method,
      path: incoming.rawPath,
      status: answer.status,
      ms: options.clock.now() - startedAt,
    },
    "request",
  );
}

/** Never rejects: whatever goes wrong becomes an answer in the client's protocol. */
async function answerTo(
  options: GatewayOptions,
  byScope: ReadonlyMap<string, AwsService>,
  incoming: Incoming,
): Promise<AwsResponse> {
  const plain = withBody(incoming, incoming.bytes);
  let protocol: Protocol = guessProtocol(plain);
  try {
    if (!claimsSignature(incoming)) {
      if (incoming.rawPath === HEALTH_PATH) return health(byScope);
      const routes = options.routes.find((candidate) => candidate.matches(incoming.method, incoming.rawPath));
      if (routes !== undefined) return await routes.handle(plain);
    }
    const request = await authenticate(incoming, {
      keys: options.keys,
      nowMs: options.clock.now(),
      accountId: options.accountId,
      protocolOf: (scope) => {
        const known = byScope.get(scope)?.protocol;
        if (known !== undefined) protocol = known;
        return known;
      },
      hostBucket,
      region: options.region,
      fallbackProtocol: protocol,
      services: [...byScope.keys()],
    });
    const service = byScope.get(request.service);
    if (service === undefined) throw new Error(`no service ${request.service}`);
    const keys = requestKeys(request, request.region);
    return await service.handle({
      ...request,
      access: (permission) => options.access.decide(request.principal, permission, keys),
    });
  } catch (error) {
    return failure(error, protocol, plain, options.logger);
  }
}

function failure(error: unknown, protocol: Protocol, request: HttpRequest, logger: Logger): AwsResponse {
  if (error instanceof AwsError) return renderError(error, protocol, request);
  logger.error(
    { requestId: request.requestId, path: request.rawPath, err: error },
    "the request failed inside the local AWS",
  );
  const internal =
    protocol === "rest-xml"
      ? new AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
      : new AwsError("InternalFailure", "The request processing has failed because of an unknown error.", 500);
  return renderError(internal, protocol, request);
}

function health(byScope: ReadonlyMap<string, AwsService>): AwsResponse {
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ status: "ok", services: [...byScope.keys()] }),
  };
}

async function send(answer: AwsResponse, message: IncomingMessage, response: ServerResponse): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  const { body } = answer;
  if (body instanceof Readable) {
    if (message.method !== "HEAD") return pipeline(body, response);
    body.destroy();
    response.end();
    return;
  }
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
  const hasNoBody = answer.status === 204 || answer.status === 304;
  if (!hasNoBody && !response.hasHeader("content-length")) response.setHeader("content-length", bytes?.length ?? 0);
  response.end(hasNoBody || message.method === "HEAD" ? undefined : bytes);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new SlipwayError("PORT_TAKEN", { values: { port }, cause: error }) : error);
    });
    server.listen(port, host, resolve);
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close((error) => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}
