import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import { parseArn } from "../../core/iam/arn.ts";
import type { ContextKeys } from "../../core/iam/context.ts";
import { denialReason, explainDecision } from "../../core/iam/denial.ts";
import { type Decision, evaluate } from "../../core/iam/evaluate.ts";
import type { Grant } from "../../core/iam/grants.ts";
import type { Policy, PolicyKind } from "../../core/iam/policy.ts";
import { readPolicy, readPolicyObject } from "../../core/iam/read-policy.ts";
import type { HttpRequest, Principal } from "../service.ts";
import { type Caller, callerOf } from "./caller.ts";
import type { Iam } from "./iam.ts";

/** One thing that a request wants to do. */
export interface Permission {
  /** `s3:GetObject`. */
  readonly action: string;
  /** ARN of what is acted on, or `*` for actions without a resource. */
  readonly resource: string;
  /** Condition keys of the request (`iam:PassedToService`, `aws:RequestTag/NAME`, ...). */
  readonly context?: ContextKeys;
}

/** Whether a principal may do something; if not, the end of the sentence that says why. */
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** The policy of a thing of the account. `required`: without its word nobody may (roles, keys). */
export interface StoredPolicy {
  /** How logs call it: `bucket policy of data`. */
  readonly name: string;
  readonly document: string;
  readonly required: boolean;
  readonly grants?: readonly Grant[];
}

/** Finds the policy of what an action is on; undefined where it has none. */
export type ResourcePolicies = (permission: Permission) => StoredPolicy | undefined;

/** Decides who may do what. */
export interface Access {
  /** A principal's request; `keys` are those of the request as such (`aws:SourceIp`, ...). */
  decide(principal: Principal, permission: Permission, keys: ContextKeys): Verdict;
  /** What an AWS service asks for itself, as SageMaker that wants to assume a role. */
  decideService(service: string, permission: Permission): Verdict;
}

export interface AccessDeps {
  readonly iam: Iam;
  readonly accountId: string;
  /** Off: identity policies, boundaries and session policies are kept and not evaluated; who may assume a role still is. */
  readonly enforced: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resourcePolicies: ResourcePolicies;
}

const EVERYTHING: Policy = readPolicyObject(
  { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "*", Resource: "*" } },
  "identity",
).policy!;

/** The one place where a request is allowed or denied; every service asks it before it acts. */
export function createAccess(deps: AccessDeps): Access {
  const { iam, clock, logger } = deps;
  const read = createPolicyReader(logger);

  const resourceOf = (permission: Permission) => {
    const stored = deps.resourcePolicies(permission);
    if (stored === undefined || (!deps.enforced && !stored.required)) return {};
    const policy = read(stored.document, permission.action.startsWith("sts:") ? "trust" : "resource", stored.name);
    return {
      ...(policy === undefined ? {} : { resource: { name: stored.name, policy, required: stored.required } }),
      grants: stored.grants ?? [],
    };
  };

  const policiesOf = (caller: Caller) => {
    if (!deps.enforced) return { identity: [{ name: "all", policy: EVERYTHING }] };
    const named = (list: Caller["identity"]) =>
      list.flatMap(({ name, document }) => {
        const policy = read(document, "identity", name);
        return policy === undefined ? [] : [{ name, policy }];
      });
    const boundary = caller.boundary === undefined ? undefined : named([caller.boundary])[0];
    return {
      identity: named(caller.identity),
      ...(caller.boundary === undefined
        ? {}
        : { boundary: boundary ?? { name: caller.boundary.name, policy: NOTHING } }),
      ...(caller.session === undefined ? {} : { session: named(caller.session) }),
    };
  };

  const conclude = (who: string, permission: Permission, decision: Decision): Verdict => {
    if (decision.outcome === "allowed") return { allowed: true };
    const { action, resource } = permission;
    logger.info(
      { who, action, resource, outcome: decision.outcome, by: decision.layer, why: explainDecision(decision) },
      "access denied",
    );
    return { allowed: false, reason: denialReason(action, decision) };
  };

  return {
    decide(principal, permission, keys) {
      const caller = callerOf(iam, principal);
      const now = clock.now();
      const account = parseArn(permission.resource)?.account ?? "";
      const decision = evaluate(
        {
          requester: caller.requester,
          action: permission.action,
          resource: permission.resource,
          ...(/^\d{12}$/.test(account) ? { resourceAccountId: account } : {}),
          context: {
            "aws:CurrentTime": new Date(now).toISOString(),
            "aws:EpochTime": String(Math.floor(now / 1000)),
            "aws:ResourceAccount": /^\d{12}$/.test(account) ? account : deps.accountId,
            "aws:ViaAWSService": "false",
            ...caller.keys,
            ...keys,
            ...permission.context,
          },
        },
        { ...policiesOf(caller), ...resourceOf(permission) },
      );
      return conclude(principal.arn, permission, decision);
    },
    decideService(service, permission) {
      const { action, resource, context = {} } = permission;
      const decision = evaluate(
        { requester: { kind: "service", service }, action, resource, context },
        resourceOf(permission),
      );
      return conclude(service, permission, decision);
    },
  };
}

const NOTHING: Policy = { version: "2012-10-17", statements: [] };
const MAX_KEPT = 1000;

/** Documents are read once: a training job's upload asks for the same ones thousands of times. */
function createPolicyReader(logger: Logger) {
  const kept = new Map<string, Policy | undefined>();
  return (document: string, kind: PolicyKind, name: string): Policy | undefined => {
    const key = `${kind} ${document}`;
    if (kept.has(key)) return kept.get(key);
    const { policy, problems } = readPolicy(document, kind);
    if (policy === undefined)
      logger.warn({ policy: name, problems }, "a stored policy is not readable and allows nothing");
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, policy);
    return policy;
  };
}

/**
 * The condition keys that every request has. The local AWS stands for AWS's own addresses, which are reached by TLS alone: `aws:SecureTransport` is
 * true, so that a bucket policy that insists on it can be tried.
 */
export function requestKeys(request: HttpRequest, region: string): ContextKeys {
  const { headers } = request;
  return {
    "aws:SourceIp": request.sourceIp,
    "aws:SecureTransport": "true",
    "aws:RequestedRegion": region,
    ...(headers["user-agent"] === undefined ? {} : { "aws:UserAgent": headers["user-agent"] }),
    ...(headers.referer === undefined ? {} : { "aws:Referer": headers.referer }),
  };
}

/** The sentence of an AccessDenied answer. S3 puts the resource into quotation marks. */
export function deniedText(
  principal: Pick<Principal, "arn">,
  { action, resource }: Permission,
  reason: string,
): string {
  const on = action.startsWith("s3:")
    ? resource === "*"
      ? ""
      : ` on resource: "${resource}"`
    : ` on resource: ${resource}`;
  return `User: ${principal.arn} is not authorized to perform: ${action}${on} ${reason}`;
}
