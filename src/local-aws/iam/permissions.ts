import type { ContextKeys } from "../../core/iam/context.ts";
import type { QueryInput } from "../query-protocol.ts";
import type { AwsRequest } from "../service.ts";
import type { Permission } from "./authorize.ts";
import type { Iam } from "./iam.ts";
import { resourceTags, tagKeys } from "./tag-keys.ts";

/**
 * What an action of IAM needs: itself on its user, role, policy or profile, and iam:PassRole where it gives a role away.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
 */
export function iamPermissions(iam: Iam, accountId: string) {
  return (action: string, input: QueryInput, { principal }: AwsRequest): Permission[] => {
    const subject = subjectOf(iam, accountId, input, action);
    const own = principal.type === "user" ? principal.arn : `arn:aws:iam::${accountId}:user/`;
    const resource = subject?.arn ?? (OF_ONESELF.has(action) ? own : listed(accountId, action));
    const policyArn = input.optional("PolicyArn");
    const boundary = input.optional("PermissionsBoundary") ?? subject?.boundary;
    const context: ContextKeys = {
      ...tagKeys(input.tags("Tags")),
      ...resourceTags(subject?.tags ?? {}, "iam"),
      ...(policyArn === undefined || !/^(Attach|Detach)/.test(action) ? {} : { "iam:PolicyARN": policyArn }),
      ...(boundary === undefined ? {} : { "iam:PermissionsBoundary": boundary }),
    };
    const needed: Permission[] = [{ action: `iam:${action}`, resource, context }];
    if (action === "AddRoleToInstanceProfile") {
      const role = iam.roles.find(input.optional("RoleName") ?? "")?.arn ?? `arn:aws:iam::${accountId}:role/`;
      needed.push({ action: "iam:PassRole", resource: role, context: { "iam:PassedToService": "ec2.amazonaws.com" } });
    }
    return needed;
  };
}

/** Actions on the caller's own user where they name none. */
const OF_ONESELF = new Set(["GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"]);

interface Subject {
  readonly arn: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly boundary?: string | undefined;
}

/** The user, role, policy or profile that a request names; one that is not there yet, by the path that it is given. */
function subjectOf(iam: Iam, accountId: string, input: QueryInput, action: string): Subject | undefined {
  const path = input.optional("Path") ?? "/";
  const arn = (kind: string, name: string) => `arn:aws:iam::${accountId}:${kind}${path}${name}`;
  const profile = input.optional("InstanceProfileName");
  if (profile !== undefined) return { arn: arn("instance-profile", profile) };
  const user = input.optional("UserName");
  if (user !== undefined) return iam.users.find(user) ?? { arn: arn("user", user) };
  const role = input.optional("RoleName");
  if (role !== undefined) return iam.roles.find(role) ?? { arn: arn("role", role) };
  const policyArn = input.optional("PolicyArn");
  if (policyArn !== undefined) return { arn: policyArn };
  const policy = action === "CreatePolicy" ? input.optional("PolicyName") : undefined;
  return policy === undefined ? undefined : { arn: arn("policy", policy) };
}

/** What lists are on, as AWS's denials name it: `arn:aws:iam::ACCOUNT:role/`. */
function listed(accountId: string, action: string): string {
  const kind = {
    ListUsers: "user",
    ListRoles: "role",
    ListPolicies: "policy",
    ListInstanceProfiles: "instance-profile",
  }[action];
  return kind === undefined ? "*" : `arn:aws:iam::${accountId}:${kind}/`;
}
