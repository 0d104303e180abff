import { Hono } from "hono";
import { createGraphqlEndpoint } from "../graphql/endpoint.ts";
import { createLoaders } from "../graphql/loaders.ts";
import { authenticated } from "./authenticated.ts";
import { limitBody } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";
import { requestSignal } from "./request-signal.ts";

/** POST /graphql */
export function graphqlRoutes(deps: AppDeps): Hono<AppEnv> {
  const { services, runFiles, logger, limits, version, closing } = deps;
  const answer = createGraphqlEndpoint(limits);
  const routes = new Hono<AppEnv>();
  routes.post(
    "/graphql",
    authenticated(deps),
    limitBody(limits.graphqlBytes, "SLIPWAY_GRAPHQL_MAX_BYTES"),
    async (context) => {
      const viewer = context.get("viewer");
      const request = context.req.raw;
      const { signal, release } = requestSignal(request.signal, closing);
      try {
        return await answer(request, {
          services,
          runFiles,
          loaders: createLoaders(services, viewer),
          viewer,
          requestId: context.get("requestId"),
          logger,
          signal,
          baseUrl: deps.baseUrl ?? new URL(request.url).origin,
          version,
        });
      } finally {
        release();
      }
    },
  );
  return routes;
}
