import { Hono } from "hono";
import type { AppDeps, AppEnv } from "./env.ts";

/** /healthz: the process answers. /readyz: so does its database, and it is not about to close. */
export function healthRoutes({ ready, closing, logger }: Pick<AppDeps, "ready" | "closing" | "logger">): Hono<AppEnv> {
  const routes = new Hono<AppEnv>();
  routes.get("/healthz", (context) => context.json({ status: "ok" }));
  routes.get("/readyz", async (context) => {
    if (closing.aborted) return context.json({ status: "closing" }, 503);
    try {
      await ready();
      return context.json({ status: "ok" });
    } catch (error) {
      logger.warn({ err: error }, "not ready: the database does not answer");
      return context.json({ status: "database does not answer" }, 503);
    }
  });
  return routes;
}
