import { Readable } from "node:stream";
import { type Context, Hono } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { FileTooLarge } from "../../store/files.ts";
import { bodyStream, refuseLongBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";

/**
 * Files to and from addresses that signed-urls.ts made: PUT, GET and HEAD of /transfers/PATH, GET with a Range. No API key
 * comes with them: the address itself is the credential.
 */
export function transferRoutes({ transfers, limits }: Pick<AppDeps, "transfers" | "limits">): Hono<AppEnv> {
  const { files, signedUrls, received } = transfers;
  const limit = { bytes: limits.fileBytes, setting: "SLIPWAY_FILE_MAX_BYTES" };
  const routes = new Hono<AppEnv>();

  routes.put("/transfers/:path{.+}", async (context) => {
    const path = signed(context, "upload");
    refuseLongBody(context, limit);
    try {
      const stored = await files.put(path, bodyStream(context), { limit: limit.bytes, check: () => {} });
      await received(path, stored);
      return context.body(null, 200, { etag: `"${Buffer.from(stored.md5, "base64").toString("hex")}"` });
    } catch (error) {
      if (!(error instanceof FileTooLarge)) throw error;
      throw new SlipwayError("BODY_TOO_LARGE", {
        values: { limit: limit.bytes, setting: limit.setting },
        cause: error,
      });
    }
  });

  // Hono answers HEAD by the GET handler.
  routes.get("/transfers/:path{.+}", async (context) => {
    const path = signed(context, "download");
    const size = await files.size(path);
    if (size === undefined) throw new SlipwayError("ROUTE_NOT_FOUND", { values: { path: `GET ${context.req.path}` } });
    const range = rangeOf(context.req.header("range"), size);
    if (range === "none") return context.body(null, 416, { "content-range": `bytes */${size}` });
    const headers = {
      "content-type": "application/octet-stream",
      "content-length": String(range ? range.end - range.start + 1 : size),
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      // What people upload must not run as a page of this server.
      "content-security-policy": "sandbox",
      ...(range ? { "content-range": `bytes ${range.start}-${range.end}/${size}` } : {}),
    };
    const status = range ? 206 : 200;
    if (context.req.method === "HEAD" || size === 0) return context.body(null, status, headers);
    return context.body(Readable.toWeb(files.stream(path, range)) as ReadableStream, status, headers);
  });

  function signed(context: Context<AppEnv>, action: "upload" | "download"): string {
    const path = context.req.param("path") ?? "";
    const { expires = "", signature = "" } = context.req.query();
    signedUrls.check(action, { path, expires, signature });
    return path;
  }
  return routes;
}

/**
 * The one range of bytes that a Range header names; undefined for none, for several or another unit, which RFC 9110 lets
 * a server answer with the whole; "none" for one outside the file.
 */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | "none" | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!found || (found[1] === "" && found[2] === "")) return undefined;
  const [, from = "", to = ""] = found;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "none" : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  const end = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== "" && Number(to) < start) return undefined;
  return start >= size ? "none" : { start, end };
}
