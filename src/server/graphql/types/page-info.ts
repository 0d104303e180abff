import type { Page } from "../../services/page.ts";
import { builder } from "../builder.ts";

export const PageInfo = builder.objectRef<Omit<Page<unknown>, "nodes">>("PageInfo").implement({
  fields: (t) => ({
    endCursor: t.exposeString("endCursor", { nullable: true }),
    hasNextPage: t.exposeBoolean("hasNextPage"),
  }),
});
