import { Readable } from "node:stream";
import { Hono } from "hono";
import { parseStreamFiles } from "../services/runs/stream.ts";
import { authenticated } from "./authenticated.ts";
import { bodyObject } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";

/** What running code sends beside GraphQL: its file stream; and the files of an item that failed. */
export function runFileRoutes(deps: Pick<AppDeps, "services" | "runFiles" | "limits">): Hono<AppEnv> {
  const { services, runFiles, limits } = deps;
  const routes = new Hono<AppEnv>();

  routes.post("/files/:entity/:project/:run/file_stream", authenticated(deps), async (context) => {
    const { entity, project, run } = context.req.param();
    const ref = { entityName: entity, projectName: project, name: run };
    const body = await bodyObject(context, { bytes: limits.streamBytes, setting: "SLIPWAY_STREAM_MAX_BYTES" });
    const message = parseStreamFiles(body.files);
    const { stopped } = await services.runs.stream(context.get("viewer"), ref, {
      ...message,
      exitCode: exitCodeOf(body),
      preempting: body.preempting === true,
    });
    return context.json({ stopped });
  });

  routes.get("/items/:item/files/:name{.+}", authenticated(deps), async (context) => {
    const { item, name } = context.req.param();
    const { size, body } = await runFiles.openFailureFile(context.get("viewer"), item, name);
    return context.body(Readable.toWeb(body) as ReadableStream, 200, {
      "content-type": "application/octet-stream",
      "content-length": String(size),
      "x-content-type-options": "nosniff",
    });
  });

  return routes;
}

/** The code's exit code, which comes with the last message of the stream (`complete`). */
function exitCodeOf(body: Record<string, unknown>): number | null {
  const { complete, exitcode } = body;
  if (typeof exitcode === "number" && Number.isInteger(exitcode)) return exitcode;
  return complete === true ? 0 : null;
}
