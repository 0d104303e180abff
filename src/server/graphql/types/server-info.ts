import { builder } from "../builder.ts";

/** Features of the wire that are off until their parts are here; the wandb client takes an absent one as off, too. */
const FEATURES: readonly { readonly name: string; readonly isEnabled: boolean }[] = [];

const ServerFeature = builder
  .objectRef<{ readonly name: string; readonly isEnabled: boolean }>("ServerFeature")
  .implement({
    fields: (t) => ({ name: t.exposeString("name"), isEnabled: t.exposeBoolean("isEnabled") }),
  });

/** The release that the tests run (test/support/python-peers.ts). */
const NEWEST_CLIENT = "0.31.0";

const LatestLocalVersionInfo = builder
  .objectRef<{ readonly outOfDate: boolean; readonly latest: string; readonly own: string }>("LatestLocalVersionInfo")
  .implement({
    fields: (t) => ({
      outOfDate: t.exposeBoolean("outOfDate"),
      latestVersionString: t.exposeString("latest"),
      versionOnThisInstanceString: t.exposeString("own"),
    }),
  });

const ServerInfo = builder.objectRef<{ readonly version: string }>("ServerInfo").implement({
  fields: (t) => ({
    features: t.field({ type: [ServerFeature], resolve: () => [...FEATURES] }),
    cliVersionInfo: t.field({
      type: "JSON",
      nullable: true,
      description: "The newest wandb client whose words this server knows.",
      resolve: () => ({ max_cli_version: NEWEST_CLIENT }),
    }),
    latestLocalVersionInfo: t.field({
      type: LatestLocalVersionInfo,
      nullable: true,
      description: "Null: the server does not look for newer versions of itself.",
      resolve: () => null,
    }),
    version: t.exposeString("version", { description: "Slipway: this server's version." }),
  }),
});

builder.queryField("serverInfo", (t) =>
  t.field({ type: ServerInfo, nullable: true, resolve: (_root, _args, { version }) => ({ version }) }),
);
