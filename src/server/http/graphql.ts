import { Hono } from "hono";
import { createGraphqlEndpoint } from "../graphql/endpoint.ts";
import { createLoaders } from "../graphql/loaders.ts";
import { authenticated } from "./authenticated.ts";
import { bodyObject } from "./body.ts";
import type { AppDeps, AppEnv } from "./env.ts";
import { requestSignal } from "./request-signal.ts";

/** The user agents of the wandb client's Go and Python halves. */
const WANDB_CLIENT = /^(wandb-core|W&B )/;

/** POST /graphql */
export function graphqlRoutes(deps: AppDeps): Hono<AppEnv> {
  const { services, runFiles, artifactTransfers, logger, limits, version, plainProtocol, closing } = deps;
  const answer = createGraphqlEndpoint(limits, plainProtocol);
  const routes = new Hono<AppEnv>();
  routes.post("/graphql", authenticated(deps), async (context) => {
    const viewer = context.get("viewer");
    const body = await bodyObject(context, { bytes: limits.graphqlBytes, setting: "SLIPWAY_GRAPHQL_MAX_BYTES" });
    const waiting = requestSignal(() => context.req.raw.signal, closing);
    try {
      const { status, result } = await answer(body, {
        services,
        runFiles,
        artifactTransfers,
        loaders: createLoaders(services, viewer),
        viewer,
        requestId: context.get("requestId"),
        logger,
        get signal() {
          return waiting.signal;
        },
        baseUrl: deps.baseUrl ?? new URL(context.req.url).origin,
        version,
        plainProtocol,
        showsMessageOnly: WANDB_CLIENT.test(context.req.header("user-agent") ?? ""),
      });
      return context.json(result, status, status === 503 ? { "retry-after": "2" } : {});
    } finally {
      waiting.release();
    }
  });
  return routes;
}
