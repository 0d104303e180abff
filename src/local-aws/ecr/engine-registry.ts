import type { LocalRegistry } from "../runtimes/docker-images.ts";
import type { LocalAwsContext } from "../service.ts";
import type { Ecr } from "./ecr.ts";

/** The registry as a container engine of this machine pulls from it: in the account's own name, since the local AWS itself asks for the pull. */
export function registryForEngine(context: LocalAwsContext, ecr: Pick<Ecr, "tokens" | "blobs">): LocalRegistry {
  return {
    host: () => new URL(context.baseUrl()).host,
    password: ({ accountId, region }) =>
      ecr.tokens.issue(
        { accountId, region },
        { type: "root", accountId, arn: `arn:aws:iam::${accountId}:root`, userId: accountId, accessKeyId: "" },
      ).password,
    blobPath: (digest) => ecr.blobs.path(digest),
  };
}
