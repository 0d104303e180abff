import type { MiddlewareHandler } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { presentedKey } from "./credentials.ts";
import type { AppDeps, AppEnv } from "./env.ts";

/** Lets only requests with a valid API key pass; everything else is UNAUTHENTICATED, whatever was wrong with it. */
export function authenticated({ services }: Pick<AppDeps, "services">): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const key = presentedKey(context.req.header("authorization"));
    const viewer = key === undefined ? undefined : await services.accounts.authenticate(key);
    if (key === undefined || viewer === undefined) throw new SlipwayError("UNAUTHENTICATED");
    context.set("viewer", viewer);
    context.set("apiKey", key);
    await next();
  };
}
