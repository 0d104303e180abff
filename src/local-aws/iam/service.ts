import { createQueryService } from "../query-protocol.ts";
import type { AwsService } from "../service.ts";
import { boundaryActions } from "./boundary-actions.ts";
import type { Iam } from "./iam.ts";
import { iamPermissions } from "./permissions.ts";
import { ownedPolicyActions, policyActions } from "./policy-actions.ts";
import { roleActions } from "./role-actions.ts";
import { userActions } from "./user-actions.ts";

/** Identity and Access Management: users, access keys, roles, policies and instance profiles, and permissions boundaries. */
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
      ...boundaryActions(iam),
    },
    permissions: iamPermissions(iam, accountId),
  });
}
