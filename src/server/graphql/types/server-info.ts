import { builder } from "../builder.ts";

/** Features of the wire that are off until their parts are here; the wandb client takes an absent one as off, too. */
const FEATURES: readonly { readonly name: string; readonly isEnabled: boolean }[] = [];

const ServerFeature = builder
  .objectRef<{ readonly name: string; readonly isEnabled: boolean }>("ServerFeature")
  .implement({
    fields: (t) => ({ name: t.exposeString("name"), isEnabled: t.exposeBoolean("isEnabled") }),
  });

const ServerInfo = builder.objectRef<{ readonly version: string }>("ServerInfo").implement({
  fields: (t) => ({
    features: t.field({ type: [ServerFeature], resolve: () => [...FEATURES] }),
    version: t.exposeString("version", { description: "Slipway: this server's version." }),
  }),
});

builder.queryField("serverInfo", (t) =>
  t.field({ type: ServerInfo, nullable: true, resolve: (_root, _args, { version }) => ({ version }) }),
);
