import type { PolicyStore } from "../iam/policies.ts";
import type { RoleStore } from "../iam/roles.ts";
import { invalid } from "../iam/rows.ts";
import type { UserStore } from "../iam/users.ts";
import { createQueryService, type QueryInput } from "../query-protocol.ts";
import { AwsError, type AwsRequest, type AwsService } from "../service.ts";
import type { XmlObject } from "../xml.ts";
import { assumeRole } from "./assume-role.ts";
import type { Session, SessionStore } from "./sessions.ts";

export interface StsDeps {
  readonly users: UserStore;
  readonly roles: RoleStore;
  readonly policies: PolicyStore;
  readonly sessions: SessionStore;
}

/** Security Token Service: who am I, assume a role, temporary credentials of a user. */
export function createStsService({ users, roles, policies, sessions }: StsDeps): AwsService {
  return createQueryService({
    scope: "sts",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
    // AssumeRole asks by itself; the others need no permission, as on AWS.
    permissions: () => [],
    actions: {
      GetCallerIdentity: (_input, { principal }) => ({
        UserId: principal.userId,
        Account: principal.accountId,
        Arn: principal.arn,
      }),
      AssumeRole: (input, request) => {
        const session = assumeRole({ roles, policies, sessions }, input, request);
        return {
          Credentials: credentials(session),
          AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
        };
      },
      GetSessionToken: (input, request) => getSessionToken(users, sessions, input, request),
      GetAccessKeyInfo: (input, request) => {
        const id = input.required("AccessKeyId");
        const known = users.knownKey(id) ?? sessions.knownKey(id);
        if (known === undefined) throw invalid(id, "accessKeyId", "Member must be an access key of this account");
        return { Account: request.accountId };
      },
    },
  });
}

function getSessionToken(
  users: UserStore,
  sessions: SessionStore,
  input: QueryInput,
  { principal }: AwsRequest,
): XmlObject {
  if (principal.type !== "user" || principal.expiresAt !== undefined) {
    throw new AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403);
  }
  const seconds = input.integer("DurationSeconds", 43_200, 900, 129_600);
  return { Credentials: credentials(sessions.issueForUser(users.get(principal.name ?? ""), seconds)) };
}

function credentials(session: Session): XmlObject {
  return {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
    Expiration: new Date(session.expiresAt).toISOString().replace(".000Z", "Z"),
  };
}
