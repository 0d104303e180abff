import type { Context, MiddlewareHandler } from "hono";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { presentedKey } from "./credentials.ts";
import type { AppDeps, AppEnv } from "./env.ts";

/**
 * Lets only requests with a valid API key pass; everything else is UNAUTHENTICATED, whatever was wrong with it, or
 * TOO_MANY_WRONG_KEYS.
 */
export function authenticated({ services }: Pick<AppDeps, "services">): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const key = presentedKey(context.req.header("authorization"));
    if (key === undefined) throw new SlipwayError("UNAUTHENTICATED");
    const wrongKeys = context.get("wrongKeys");
    const address = addressOf(context);
    const seconds = wrongKeys.waitSeconds(address, key);
    if (seconds > 0) throw new SlipwayError("TOO_MANY_WRONG_KEYS", { values: { seconds } });
    const viewer = await services.accounts.authenticate(key);
    if (viewer === undefined) {
      wrongKeys.wrong(address);
      throw new SlipwayError("UNAUTHENTICATED");
    }
    wrongKeys.good(address, key);
    context.set("viewer", viewer);
    context.set("apiKey", key);
    await next();
  };
}

/** The other end of the connection. What a header says of it could be made up. */
function addressOf(context: Context<AppEnv>): string {
  const { incoming } = (context.env ?? {}) as { incoming?: { socket: { remoteAddress?: string } } };
  return incoming?.socket.remoteAddress ?? "unknown";
}
