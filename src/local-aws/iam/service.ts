import { createQueryService, type QueryInput } from "../query-protocol.ts";
import type { AwsService } from "../service.ts";
import type { Permission } from "./authorize.ts";
import type { Iam } from "./iam.ts";
import { ownedPolicyActions, policyActions } from "./policy-actions.ts";
import { roleActions } from "./role-actions.ts";
import { userActions } from "./user-actions.ts";

/** Identity and Access Management: users, access keys, roles, policies and instance profiles are kept as they are given. */
export function createIamService(iam: Iam, accountId: string): AwsService {
  return createQueryService({
    scope: "iam",
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
    actions: {
      ...userActions(iam),
      ...roleActions(iam),
      ...policyActions(iam),
      ...ownedPolicyActions(iam, "user"),
      ...ownedPolicyActions(iam, "role"),
    },
    permissions: (action, input) => [permissionOf(action, input, accountId)],
  });
}

function permissionOf(action: string, input: QueryInput, accountId: string): Permission {
  const arn = (kind: string, name: string | undefined) => `arn:aws:iam::${accountId}:${kind}/${name}`;
  const profile = input.optional("InstanceProfileName");
  const user = input.optional("UserName");
  const role = input.optional("RoleName");
  const resource =
    profile !== undefined
      ? arn("instance-profile", profile)
      : user !== undefined
        ? arn("user", user)
        : role !== undefined
          ? arn("role", role)
          : (input.optional("PolicyArn") ?? "*");
  return { action: `iam:${action}`, resource };
}
