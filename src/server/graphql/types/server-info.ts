import { LEASES_FEATURE } from "../../../core/protocol.ts";
import { builder } from "../builder.ts";

/** What this server can beyond the plain protocol, as our agents look for it; to the wandb client an absent feature is off. */
const FEATURES: readonly { readonly name: string; readonly isEnabled: boolean }[] = [
  { name: LEASES_FEATURE, isEnabled: true },
];

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

const ServerInfo = builder
  .objectRef<{ readonly version: string; readonly plainProtocol: boolean }>("ServerInfo")
  .implement({
    fields: (t) => ({
      features: t.field({
        type: [ServerFeature],
        resolve: ({ plainProtocol }) => (plainProtocol ? [] : [...FEATURES]),
      }),
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
  t.field({
    type: ServerInfo,
    nullable: true,
    resolve: (_root, _args, { version, plainProtocol }) => ({ version, plainProtocol }),
  }),
);
