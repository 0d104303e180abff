import { type ContextKeys, requestContext } from "./context.ts";
import { type Grant, matchingGrants } from "./grants.ts";
import type { NamedPolicy } from "./policy.ts";
import { principalKeys, type Requester } from "./principal.ts";
import { matchPolicies, type NearMatch, type PolicyMatches, type StatementMatch } from "./statements.ts";

/** One thing that someone wants to do. */
export interface AccessRequest {
  readonly requester: Requester;
  /** `s3:GetObject`. */
  readonly action: string;
  /** ARN of what is acted on, or `*` for actions without a resource. */
  readonly resource: string;
  /** Whose the resource is; absent: the requester's own account. */
  readonly resourceAccountId?: string;
  /** Condition keys of the request. Those that follow from who asks (`aws:PrincipalArn`, `aws:username`, ...) are added. */
  readonly context?: ContextKeys;
}

/** The policies that bear on a request. */
export interface ApplicablePolicies {
  /** In and on the user or the role. */
  readonly identity?: readonly NamedPolicy[];
  /** The permissions boundary of the user or the role. */
  readonly boundary?: NamedPolicy;
  /** Those that were handed over when the role was assumed. */
  readonly session?: readonly NamedPolicy[];
  readonly resource?: ResourcePolicy;
  /** KMS: what grants of the key allow, beside its policy. */
  readonly grants?: readonly Grant[];
}

/** The policy of what is acted on. */
export interface ResourcePolicy extends NamedPolicy {
  /**
   * True for trust policies and key policies: without their word nobody may, whatever the identity policies say. Of others (a bucket, a repository)
   * either is enough within one account.
   */
  readonly required: boolean;
}

/** Which of the policies decided, or failed to allow. */
export type DecidingLayer = "identity" | "resource" | "boundary" | "session" | "grant" | "root";

export interface Decision {
  readonly outcome: "allowed" | "implicitly denied" | "explicitly denied";
  /** Allowed: what allowed it. Denied: whose statement denies it, or which policies lack one that allows it. */
  readonly layer: DecidingLayer;
  /** The statements that allow or deny; none for an implicit denial. */
  readonly statements: readonly StatementMatch[];
  /** Statements about this action and resource that did not speak because a condition was not met. */
  readonly near: readonly NearMatch[];
}

const NOTHING: PolicyMatches = { allows: [], denies: [], near: [] };

/**
 * Decides a request as AWS does: one explicit denial anywhere wins; else it must be allowed by the identity's policies or the resource's (by both
 * across accounts), within boundary and session policies.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function evaluate(request: AccessRequest, policies: ApplicablePolicies): Decision {
  const { requester } = request;
  const question = {
    requester,
    action: request.action,
    resource: request.resource,
    context: requestContext({ ...principalKeys(requester), ...request.context }),
  };
  const isIdentity = requester.kind === "user" || requester.kind === "session";
  const identity = isIdentity ? matchPolicies(policies.identity ?? [], question) : NOTHING;
  const boundary =
    isIdentity && policies.boundary !== undefined ? matchPolicies([policies.boundary], question) : undefined;
  const hasSession = requester.kind === "session" && policies.session !== undefined && policies.session.length > 0;
  const session = hasSession ? matchPolicies(policies.session!, question) : undefined;
  const resource = policies.resource === undefined ? NOTHING : matchPolicies([policies.resource], question);

  const layers: readonly [DecidingLayer, PolicyMatches | undefined][] = [
    ["identity", identity],
    ["resource", resource],
    ["boundary", boundary],
    ["session", session],
  ];
  const near = layers.flatMap(([, matches]) => matches?.near ?? []);
  for (const [layer, matches] of layers) {
    if (matches !== undefined && matches.denies.length > 0) {
      return { outcome: "explicitly denied", layer, statements: matches.denies, near };
    }
  }

  const denied = (layer: DecidingLayer): Decision => ({ outcome: "implicitly denied", layer, statements: [], near });
  const allowed = (layer: DecidingLayer, statements: readonly StatementMatch[]): Decision => ({
    outcome: "allowed",
    layer,
    statements,
    near,
  });
  const limit = (granted: Decision): Decision => {
    if (boundary !== undefined && boundary.allows.length === 0) return denied("boundary");
    if (session !== undefined && session.allows.length === 0) return denied("session");
    return granted;
  };

  const { self, role, account } = byNaming(resource.allows);
  const grants = matchingGrants(policies.grants ?? [], question);
  const isRequired = policies.resource?.required === true;
  if (requester.kind === "service" || requester.kind === "web") {
    if (self.length > 0) return allowed("resource", self);
    return grants.length > 0 ? allowed("grant", []) : denied("resource");
  }

  const ownerId = request.resourceAccountId ?? requester.accountId;
  const crossAccount = ownerId !== requester.accountId;
  if (crossAccount) {
    if (resource.allows.length === 0 && grants.length === 0) return denied("resource");
    if (requester.kind === "root") return allowed("resource", resource.allows);
    if (identity.allows.length === 0) return denied("identity");
    return limit(allowed("identity", [...identity.allows, ...resource.allows]));
  }

  if (requester.kind === "root") {
    if (!isRequired) return allowed("root", []);
    return self.length > 0 ? allowed("resource", self) : denied("resource");
  }
  if (self.length > 0) return allowed("resource", self);
  if (grants.includes("self")) return allowed("grant", []);
  if (role.length > 0) return limit(allowed("resource", role));
  if (grants.length > 0) return limit(allowed("grant", []));
  if (isRequired && account.length === 0) return denied("resource");
  if (identity.allows.length === 0) return denied("identity");
  return limit(allowed("identity", identity.allows));
}

function byNaming(allows: readonly StatementMatch[]) {
  const named = (naming: StatementMatch["naming"]) => allows.filter((match) => match.naming === naming);
  return { self: named("self"), role: named("role"), account: named("account") };
}
