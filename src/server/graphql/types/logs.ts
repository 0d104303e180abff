import type { LogLineRecord } from "../../../store/records.ts";
import type { LogPage as Page } from "../../services/logs.ts";
import { builder } from "../builder.ts";

const LogLine = builder.objectRef<LogLineRecord>("LogLine").implement({
  fields: (t) => ({
    index: t.exposeInt("index"),
    node: t.exposeString("node"),
    attempt: t.exposeInt("attempt"),
    at: t.expose("at", { type: "DateTime" }),
    text: t.exposeString("text"),
  }),
});

export const LogPage = builder.objectRef<Page>("LogPage").implement({
  fields: (t) => ({
    lines: t.field({ type: [LogLine], resolve: (page) => page.lines }),
    next: t.exposeInt("next", { description: "Pass as after to go on." }),
    complete: t.exposeBoolean("complete", { description: "No line will follow: the item has settled." }),
  }),
});
