import type { Permission } from "../iam/authorize.ts";
import type { RoleStore } from "../iam/roles.ts";
import { invalid } from "../iam/rows.ts";
import type { UserStore } from "../iam/users.ts";
import { createQueryService, type QueryInput } from "../query-protocol.ts";
import { AwsError, type AwsRequest, type AwsService } from "../service.ts";
import type { XmlObject } from "../xml.ts";
import type { Session, SessionStore } from "./sessions.ts";

export interface StsDeps {
  readonly users: UserStore;
  readonly roles: RoleStore;
  readonly sessions: SessionStore;
}

/** Security Token Service: who am I, assume a role, temporary credentials of a user. */
export function createStsService({ users, roles, sessions }: StsDeps): AwsService {
  return createQueryService({
    scope: "sts",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
    permissions,
    actions: {
      GetCallerIdentity: (_input, { principal }) => ({
        UserId: principal.userId,
        Account: principal.accountId,
        Arn: principal.arn,
      }),
      AssumeRole: (input, request) => assumeRole(roles, sessions, input, request),
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

/** GetCallerIdentity, GetAccessKeyInfo and GetSessionToken need no permission. */
function permissions(action: string, input: QueryInput, { principal }: AwsRequest): Permission[] {
  if (action !== "AssumeRole") return [];
  const context = { "sts:RoleSessionName": input.optional("RoleSessionName") ?? "", "aws:PrincipalArn": principal.arn };
  return [{ action: "sts:AssumeRole", resource: input.required("RoleArn"), context }];
}

function assumeRole(roles: RoleStore, sessions: SessionStore, input: QueryInput, { principal }: AwsRequest): XmlObject {
  const roleArn = input.required("RoleArn");
  const sessionName = input.required("RoleSessionName");
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+/.test(roleArn)) {
    throw new AwsError("ValidationError", `${roleArn} is invalid`, 400);
  }
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    throw invalid(sessionName, "roleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]*");
  }
  const externalId = input.optional("ExternalId");
  const role = roles.assumableBy(roleArn, principal, {
    "sts:RoleSessionName": sessionName,
    "aws:PrincipalArn": principal.arn,
    "aws:PrincipalAccount": principal.accountId,
    ...(externalId === undefined ? {} : { "sts:ExternalId": externalId }),
  });
  if (role === undefined) {
    // AWS does not tell a role that does not exist from one that does not trust the caller.
    throw new AwsError(
      "AccessDenied",
      `User: ${principal.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
      403,
    );
  }
  const seconds = input.integer("DurationSeconds", 3600, 900, 43_200);
  if (seconds > role.maxSessionSeconds) {
    throw new AwsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
  }
  if (principal.type === "assumed-role" && seconds > 3600) {
    throw new AwsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  }
  const session = sessions.issueForRole(role, sessionName, seconds);
  return { Credentials: credentials(session), AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn } };
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
