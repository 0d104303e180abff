import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync, inflateSync } from "node:zlib";
import { buildSchema, type GraphQLSchema, parse, validate } from "graphql";

/** One GraphQL document that a client has sent. */
export interface RecordedDocument {
  readonly operationName: string;
  readonly userAgent: string;
  readonly query: string;
  /** Why it is no document of `schema.graphql`; empty if it is. */
  readonly problems: readonly string[];
}

/** A file that was sent through, whether it arrived whole or not. */
export interface RecordedUpload {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Bytes that have come so far. */
  bytes: number;
}

export interface RecordingProxy {
  readonly url: string;
  /** Every distinct document so far, in order of arrival. */
  documents(): readonly RecordedDocument[];
  /** Every PUT so far, in order of arrival. */
  uploads(): readonly RecordedUpload[];
  close(): Promise<void>;
}

let schema: GraphQLSchema | undefined;

/**
 * A reverse proxy that changes nothing: what a client sends arrives as it was sent, with the proxy's own Host, so that
 * addresses in answers lead through it too. It keeps each GraphQL document and checks it against `schema.graphql`.
 */
export async function startRecordingProxy(target: () => string): Promise<RecordingProxy> {
  schema ??= buildSchema(readFileSync(join(import.meta.dirname, "../../schema.graphql"), "utf8"));
  const known = schema;
  const documents = new Map<string, RecordedDocument>();
  const uploads: RecordedUpload[] = [];

  function record(body: Buffer, headers: IncomingMessage["headers"]): void {
    const { query, operationName } = JSON.parse(decoded(body, headers["content-encoding"])) as {
      query: string;
      operationName?: string;
    };
    if (documents.has(query)) return;
    documents.set(query, {
      operationName: operationName ?? "",
      userAgent: headers["user-agent"] ?? "",
      query,
      problems: validate(known, parse(query)).map((error) => error.message),
    });
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { hostname, port } = new URL(target());
    const { method, url: path, headers } = incoming;
    const upstream = request({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
    if (method === "PUT") {
      const upload: RecordedUpload = { path: path ?? "", headers, bytes: 0 };
      uploads.push(upload);
      incoming.on("data", (chunk: Buffer) => {
        upload.bytes += chunk.byteLength;
      });
    }
    if (path !== "/graphql") return;
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => record(Buffer.concat(chunks), headers));
  }

  const server = createServer(forward);
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    documents: () => [...documents.values()],
    uploads: () => [...uploads],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function decoded(body: Buffer, encoding: string | undefined): string {
  if (encoding === "gzip") return gunzipSync(body).toString("utf8");
  if (encoding === "deflate") return inflateSync(body).toString("utf8");
  return body.toString("utf8");
}
