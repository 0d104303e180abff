import type { StoredPolicy } from "../iam/authorize.ts";
import type { RegistryScope } from "./names.ts";
import type { Repositories } from "./repositories.ts";

/** The policy of the repository that an ARN's resource names: `repository/NAME`. */
export function repositoryPolicy(
  repositories: Repositories,
  scope: RegistryScope,
  resource: string,
): StoredPolicy | undefined {
  const name = resource.replace(/^repository\//, "");
  const policy = repositories.find(scope, name)?.policy;
  return policy === undefined ? undefined : { name: `repository policy of ${name}`, document: policy, required: false };
}
