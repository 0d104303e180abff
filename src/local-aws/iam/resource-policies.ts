import { parseArn } from "../../core/iam/arn.ts";
import type { Permission, ResourcePolicies, StoredPolicy } from "./authorize.ts";
import type { RoleStore } from "./roles.ts";

/** Where the account's other resources keep their policies: by service (`s3`), the policy of what the resource part of an ARN names. */
export type PolicyHolders = Readonly<
  Record<string, (resource: string, region: string, accountId: string) => StoredPolicy | undefined>
>;

/** Finds the policy of what a permission is on: a role's trust policy, a bucket's, a repository's, a key's. */
export function createResourcePolicies(roles: RoleStore, holders: PolicyHolders): ResourcePolicies {
  return ({ action, resource }: Permission) => {
    if (action.startsWith("sts:")) {
      const role = roles.findByArn(resource);
      // A role that is not there trusts nobody: AWS answers the same.
      return { name: `trust policy of ${resource}`, document: role?.trustPolicy ?? TRUSTS_NOBODY, required: true };
    }
    const arn = parseArn(resource);
    if (arn === undefined || action.split(":")[0]?.toLowerCase() !== arn.service) return undefined;
    return Object.hasOwn(holders, arn.service)
      ? holders[arn.service]?.(arn.resource, arn.region, arn.account)
      : undefined;
  };
}

/** The number belongs to no account, and what it is denied changes nothing. */
const TRUSTS_NOBODY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Deny", Principal: { AWS: "000000000000" }, Action: "sts:AssumeRole" }],
});
