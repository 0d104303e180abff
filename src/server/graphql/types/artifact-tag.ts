import { builder } from "../builder.ts";
import { globalId } from "../ids.ts";

export const Tag = builder.objectRef<string>("Tag").implement({
  fields: (t) => ({
    id: t.id({ resolve: (name) => globalId("Tag", name) }),
    name: t.string({ resolve: (name) => name }),
  }),
});

const TagEdge = builder
  .objectRef<string>("TagEdge")
  .implement({ fields: (t) => ({ node: t.field({ type: Tag, resolve: (name) => name }) }) });

export const TagConnection = builder.objectRef<readonly string[]>("TagConnection").implement({
  fields: (t) => ({ edges: t.field({ type: [TagEdge], resolve: (tags) => [...tags] }) }),
});
