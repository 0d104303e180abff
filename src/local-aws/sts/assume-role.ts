import type { ContextKeys } from "../../core/iam/context.ts";
import { deniedText, type Permission } from "../iam/authorize.ts";
import { managedDocument, type NamedDocument } from "../iam/caller.ts";
import type { PolicyStore } from "../iam/policies.ts";
import { checkPolicy } from "../iam/policy-document.ts";
import type { Role, RoleStore } from "../iam/roles.ts";
import { invalid } from "../iam/rows.ts";
import { resourceTags, tagKeys } from "../iam/tag-keys.ts";
import type { QueryInput } from "../query-protocol.ts";
import { AwsError, type AwsRequest } from "../service.ts";
import type { Session, SessionStore } from "./sessions.ts";

export interface AssumeRoleDeps {
  readonly roles: RoleStore;
  readonly policies: PolicyStore;
  readonly sessions: SessionStore;
}

/** Characters of an inline session policy, and managed ones beside it (API reference, AssumeRole). */
const MAX_SESSION_POLICY = 2048;
const MAX_SESSION_POLICIES = 10;

/** Checks who may have a session of a role, and makes it. Throws AccessDenied, ValidationError, MalformedPolicyDocument. */
export function assumeRole(deps: AssumeRoleDeps, input: QueryInput, request: AwsRequest): Session {
  const { roles, sessions } = deps;
  const roleArn = input.required("RoleArn");
  const sessionName = input.required("RoleSessionName");
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+/.test(roleArn)) {
    throw new AwsError("ValidationError", `${roleArn} is invalid`, 400);
  }
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    throw invalid(sessionName, "roleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]*");
  }
  const tags = input.tags("Tags");
  const role = permittedRole(roles, roleArn, sessionName, tags, input, request);
  const extras = { policies: sessionPolicies(deps, input), tags };
  const seconds = input.integer("DurationSeconds", 3600, 900, 43_200);
  if (seconds > role.maxSessionSeconds) {
    throw new AwsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
  }
  if (request.principal.type === "assumed-role" && seconds > 3600) {
    throw new AwsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  }
  return sessions.issueForRole(role, sessionName, seconds, extras);
}

function permittedRole(
  roles: RoleStore,
  roleArn: string,
  sessionName: string,
  tags: Readonly<Record<string, string>>,
  input: QueryInput,
  request: AwsRequest,
): Role {
  const externalId = input.optional("ExternalId");
  const sourceIdentity = input.optional("SourceIdentity");
  const context: ContextKeys = {
    "sts:RoleSessionName": sessionName,
    ...(externalId === undefined ? {} : { "sts:ExternalId": externalId }),
    ...(sourceIdentity === undefined ? {} : { "sts:SourceIdentity": sourceIdentity }),
    ...tagKeys(tags),
    ...resourceTags(roles.findByArn(roleArn)?.tags ?? {}),
  };
  const actions = [
    "sts:AssumeRole",
    ...(Object.keys(tags).length === 0 ? [] : ["sts:TagSession"]),
    ...(sourceIdentity === undefined ? [] : ["sts:SetSourceIdentity"]),
  ];
  for (const action of actions) {
    const permission: Permission = { action, resource: roleArn, context };
    // AWS says no more than this: neither whether the role exists nor which policy is silent.
    if (!request.access(permission).allowed)
      throw new AwsError("AccessDenied", deniedText(request.principal, permission, "").trimEnd(), 403);
  }
  const role = roles.findByArn(roleArn);
  if (role === undefined) {
    throw new AwsError(
      "AccessDenied",
      deniedText(request.principal, { action: "sts:AssumeRole", resource: roleArn }, "").trimEnd(),
      403,
    );
  }
  return role;
}

function sessionPolicies({ policies }: AssumeRoleDeps, input: QueryInput): NamedDocument[] {
  const found: NamedDocument[] = [];
  const inline = input.optional("Policy");
  if (inline !== undefined) {
    if (inline.length > MAX_SESSION_POLICY)
      throw invalid(inline, "policy", `Member must have length less than or equal to ${MAX_SESSION_POLICY}`);
    checkPolicy(inline, "identity");
    found.push({ name: "session policy", document: inline });
  }
  const arns = input.list("PolicyArns", "arn");
  if (arns.length > MAX_SESSION_POLICIES) {
    throw new AwsError("PackedPolicyTooLarge", `A session takes at most ${MAX_SESSION_POLICIES} managed policies`);
  }
  for (const arn of arns) {
    const [managed] = managedDocument(policies, arn);
    if (managed === undefined) throw new AwsError("MalformedPolicyDocument", `Policy ${arn} does not exist`);
    found.push(managed);
  }
  return found;
}
