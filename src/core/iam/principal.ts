import type { ContextKeys } from "./context.ts";
import type { Principals } from "./policy.ts";

/** Who asks. */
export type Requester = UserRequester | SessionRequester | RootRequester | ServiceRequester | WebRequester;

export interface UserRequester {
  readonly kind: "user";
  /** `arn:aws:iam::ACCOUNT:user/PATH/NAME`. */
  readonly arn: string;
  readonly accountId: string;
  /** `AIDA...`. */
  readonly userId?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A session of a role. */
export interface SessionRequester {
  readonly kind: "session";
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string;
  /** `arn:aws:iam::ACCOUNT:role/PATH/ROLE`. */
  readonly roleArn: string;
  readonly accountId: string;
  /** `AROA...:SESSION`. */
  readonly userId?: string;
  /** The role's tags, and those of the session over them. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** The account itself: everything in it is allowed to it unless a policy of the resource denies it. */
export interface RootRequester {
  readonly kind: "root";
  /** `arn:aws:iam::ACCOUNT:root`. */
  readonly arn: string;
  readonly accountId: string;
}

/** An AWS service for itself, as when SageMaker assumes an execution role. */
export interface ServiceRequester {
  readonly kind: "service";
  /** `sagemaker.amazonaws.com`. */
  readonly service: string;
}

/** Someone whom an identity provider vouches for, before a role has been assumed. */
export interface WebRequester {
  readonly kind: "web";
  /** `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`, or the name of a provider that AWS knows (`accounts.google.com`). */
  readonly provider: string;
}

/**
 * How closely a policy names a requester. What it gives depends on that: `self` (a user, a session, everyone) is theirs whatever their own policies
 * lack; `role` is bounded by the session's policies and the role's boundary; `account` leaves it to the account's own policies.
 */
export type Naming = "self" | "role" | "account";

const RANK = { account: 1, role: 2, self: 3 } as const;

/** How closely the principals of a statement name a requester; undefined if they do not. */
export function namedBy(principals: Principals, requester: Requester): Naming | undefined {
  const named = identitiesOf(requester).flatMap((identity) =>
    isListed(principals, identity) ? [identity.naming] : [],
  );
  if (!principals.not) return named.sort((a, b) => RANK[b] - RANK[a])[0];
  // All but those listed. Who is to be excepted must be listed under each of their names: the session, its role and the account.
  return identitiesOf(requester).every((identity) => isListed(principals, identity)) ? undefined : "self";
}

/** How a policy may name a requester. */
interface Identity {
  readonly kind: "AWS" | "Service" | "Federated";
  readonly names: readonly string[];
  readonly naming: Naming;
}

function identitiesOf(requester: Requester): Identity[] {
  switch (requester.kind) {
    case "service":
      return [{ kind: "Service", names: [requester.service], naming: "self" }];
    case "web":
      return [{ kind: "Federated", names: [requester.provider], naming: "self" }];
    case "root":
      return [{ kind: "AWS", names: accountNames(requester), naming: "self" }];
    case "user":
      return [
        { kind: "AWS", names: [requester.arn, ...idName(requester.userId)], naming: "self" },
        { kind: "AWS", names: accountNames(requester), naming: "account" },
      ];
    case "session":
      return [
        { kind: "AWS", names: [requester.arn], naming: "self" },
        { kind: "AWS", names: [requester.roleArn, ...idName(requester.userId?.split(":")[0])], naming: "role" },
        { kind: "AWS", names: accountNames(requester), naming: "account" },
      ];
  }
}

/** A principal that was deleted and made again is another one: policies then hold the id of the old. */
function idName(id: string | undefined): string[] {
  return id === undefined ? [] : [id];
}

function accountNames({ arn, accountId }: { readonly arn: string; readonly accountId: string }): string[] {
  return [accountId, `arn:${arn.split(":")[1] ?? "aws"}:iam::${accountId}:root`];
}

function isListed({ byKind }: Principals, { kind, names, naming }: Identity): boolean {
  const listed = byKind[kind] ?? [];
  if (listed.some((name) => names.includes(name))) return true;
  // `*` is everyone: it names each of them as themselves.
  return naming === "self" && (listed.includes("*") || byKind.AWS?.includes("*") === true) && kind !== "Federated";
}

/** The condition keys that follow from who asks. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html */
export function principalKeys(requester: Requester): ContextKeys {
  if (requester.kind === "service") {
    return {
      "aws:PrincipalIsAWSService": "true",
      "aws:PrincipalServiceName": requester.service,
      "aws:PrincipalType": "Service",
    };
  }
  if (requester.kind === "web") return { "aws:FederatedProvider": requester.provider };
  const { arn, accountId } = requester;
  const keys: Record<string, string> = {
    "aws:PrincipalArn": requester.kind === "session" ? requester.roleArn : arn,
    "aws:PrincipalAccount": accountId,
    "aws:PrincipalType": { user: "User", session: "AssumedRole", root: "Account" }[requester.kind],
    "aws:PrincipalIsAWSService": "false",
  };
  if (requester.kind === "root") return { ...keys, "aws:userid": accountId };
  if (requester.userId !== undefined) keys["aws:userid"] = requester.userId;
  if (requester.kind === "user") keys["aws:username"] = arn.slice(arn.lastIndexOf("/") + 1);
  for (const [name, value] of Object.entries(requester.tags ?? {})) keys[`aws:PrincipalTag/${name}`] = value;
  return keys;
}

/** How AWS's denials call the requester. */
export function requesterName(requester: Requester): string {
  if (requester.kind === "service") return requester.service;
  return requester.kind === "web" ? requester.provider : requester.arn;
}
