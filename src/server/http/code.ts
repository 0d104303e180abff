import { Readable } from "node:stream";
import { Hono } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { authenticated } from "./authenticated.ts";
import { bodyStream, refuseLongBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";

/** Code archives (tar.gz) of an entity under their digest (`sha256:HEX`): HEAD, GET and PUT of /code/ENTITY/DIGEST. */
export function codeRoutes(deps: Pick<AppDeps, "services" | "limits">): Hono<AppEnv> {
  const { codeArchives } = deps.services;
  const routes = new Hono<AppEnv>();
  routes.use("/code/*", authenticated(deps));

  routes.put("/code/:entity/:digest", async (context) => {
    const { entity, digest } = context.req.param();
    refuseLongBody(context, { bytes: deps.limits.codeBytes, setting: "SLIPWAY_CODE_MAX_BYTES" });
    const { size } = await codeArchives.put(context.get("viewer"), entity, digest, bodyStream(context));
    return context.json({ digest, size }, 201);
  });

  // Hono answers HEAD by the GET handler; the archive is not opened for it.
  routes.get("/code/:entity/:digest", async (context) => {
    const { entity, digest } = context.req.param();
    const viewer = context.get("viewer");
    if (context.req.method === "HEAD") {
      if (!(await codeArchives.has(viewer, entity, digest))) throw missing(digest);
      return context.body(null, 200, { "content-type": "application/gzip" });
    }
    const archive = await codeArchives.get(viewer, entity, digest);
    if (!archive) throw missing(digest);
    return context.body(Readable.toWeb(archive.body) as ReadableStream, 200, {
      "content-type": "application/gzip",
      "content-length": String(archive.size),
      // Content under a digest never changes.
      "cache-control": "private, max-age=31536000, immutable",
    });
  });
  return routes;
}

const missing = (digest: string) => new SlipwayError("CODE_NOT_FOUND", { values: { digest } });
