import { Readable } from "node:stream";
import { type Context, Hono } from "hono";
import type { StoredBytes } from "../artifact-transfers.ts";
import { keyOf } from "../graphql/ids.ts";
import { authenticated } from "./authenticated.ts";
import { bodyStream, refuseLongBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";
import { rangeOf } from "./transfers.ts";

/** The bytes of artifacts, to and from the addresses that GraphQL answers gave, and by the MD5 for a caller with a key. */
export function artifactContentRoutes(deps: Pick<AppDeps, "services" | "artifactTransfers" | "limits">): Hono<AppEnv> {
  const { artifactTransfers, limits } = deps;
  const routes = new Hono<AppEnv>();

  // No API key comes with the bytes: the address itself is the credential.
  routes.put("/artifact-content/:token", async (context) => {
    refuseLongBody(context, { bytes: limits.fileBytes, setting: "SLIPWAY_FILE_MAX_BYTES" });
    const { size, md5 } = await artifactTransfers.receive(addressOf(context), bodyStream(context));
    // The client names the parts of a large file by their ETags when all have arrived.
    return context.json({ size }, 200, { etag: `"${md5}"` });
  });

  // Where the client looks for one file of an artifact by itself; the last part, a file's name, only serves its log.
  const byDigest = async (context: Context<AppEnv>) => {
    const { artifact = "", md5 = "" } = context.req.param() as { artifact?: string; md5?: string };
    const id = keyOf("Artifact", artifact) ?? artifact;
    return answer(context, await artifactTransfers.openContent(context.get("viewer"), id, md5));
  };
  routes.get("/artifactsV2/:region/:entity/:artifact/:md5", authenticated(deps), byDigest);
  routes.get("/artifactsV2/:region/:entity/:artifact/:md5/:name{.+}", authenticated(deps), byDigest);
  return routes;
}

function addressOf(context: Context<AppEnv>) {
  const { expires = "", signature = "" } = context.req.query();
  return { token: context.req.param("token") ?? "", expires, signature };
}

/** The bytes, or the range of them that was asked for (RFC 9110 14: one range `bytes=A-B`; others are ignored). */
function answer(context: Context<AppEnv>, { size, stream }: StoredBytes): Response {
  const headers = {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff",
    // What people upload must not run as a page of this server.
    "content-security-policy": "sandbox",
  };
  const range = rangeOf(context.req.header("range"), size);
  if (range === "none") {
    return context.body(null, 416, { ...headers, "content-range": `bytes */${size}` });
  }
  if (range === undefined) {
    return context.body(web(stream()), 200, { ...headers, "content-length": String(size) });
  }
  const { start, end } = range;
  return context.body(web(stream(range)), 206, {
    ...headers,
    "content-length": String(end - start + 1),
    "content-range": `bytes ${start}-${end}/${size}`,
  });
}

const web = (stream: Readable) => Readable.toWeb(stream) as ReadableStream;
