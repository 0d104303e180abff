import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { artifactContentRoutes } from "./http/artifact-content.ts";
import { codeRoutes } from "./http/code.ts";
import type { AppDeps, AppEnv } from "./http/env.ts";
import { errorResponse, publicError } from "./http/error-response.ts";
import { eventRoutes } from "./http/events.ts";
import { graphqlRoutes } from "./http/graphql.ts";
import { healthRoutes } from "./http/health.ts";
import { runFileRoutes } from "./http/run-files.ts";
import { transferRoutes } from "./http/transfers.ts";

/** Every route of the server. Each but /healthz, /readyz, /transfers and /artifact-content lets only requests with a valid API key pass. */
export function createApp(deps: AppDeps): Hono<AppEnv> {
  const { logger, clock } = deps;
  const app = new Hono<AppEnv>();

  app.use(async (context, next) => {
    const requestId = requestIdOf(context.req.header("x-request-id"));
    context.set("requestId", requestId);
    context.set("wrongKeys", deps.wrongKeys);
    const startedAt = clock.now();
    await next();
    context.res.headers.set("x-request-id", requestId);
    if (!logger.isLevelEnabled("debug")) return;
    const { method, path } = context.req;
    const user = context.get("viewer")?.username;
    logger.debug({ requestId, method, path, user, status: context.res.status, ms: clock.now() - startedAt }, "request");
  });

  app.route("/", healthRoutes(deps));
  app.route("/", graphqlRoutes(deps));
  app.route("/", eventRoutes(deps));
  app.route("/", codeRoutes(deps));
  app.route("/", runFileRoutes(deps));
  app.route("/", transferRoutes(deps));
  app.route("/", artifactContentRoutes(deps));

  app.notFound((context) => {
    const error = new SlipwayError("ROUTE_NOT_FOUND", {
      values: { path: `${context.req.method} ${context.req.path}` },
    });
    return errorResponse(error, context.get("requestId"));
  });
  app.onError((error, context) => {
    const requestId = context.get("requestId");
    return errorResponse(publicError(error, requestId, logger), requestId);
  });
  return app;
}

/** A proxy's id is kept, so that its log and ours tell of the same request. */
const requestIdOf = (given: string | undefined) => (given && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID());
