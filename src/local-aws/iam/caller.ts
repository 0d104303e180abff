import type { ContextKeys } from "../../core/iam/context.ts";
import type { Requester } from "../../core/iam/principal.ts";
import type { Principal } from "../service.ts";
import { AWS_MANAGED } from "./aws-managed.ts";
import type { Iam } from "./iam.ts";
import type { Owner } from "./policies.ts";

/** A policy's text with the name that logs call it by. */
export interface NamedDocument {
  readonly name: string;
  readonly document: string;
}

/** Who a principal is now, and what its account lets it do. */
export interface Caller {
  readonly requester: Requester;
  readonly identity: readonly NamedDocument[];
  readonly boundary: NamedDocument | undefined;
  /** Undefined for a session without policies of its own. */
  readonly session: readonly NamedDocument[] | undefined;
  /** Condition keys of the credentials (`aws:TokenIssueTime`, ...). */
  readonly keys: ContextKeys;
}

/** Looks a principal up. One whose user or role is gone (or another of the same name) has no policies any more. */
export function callerOf(iam: Iam, principal: Principal): Caller {
  const { accountId, arn, userId } = principal;
  const nothing = { identity: [], boundary: undefined, session: undefined, keys: {} };
  if (principal.type === "root") return { requester: { kind: "root", arn, accountId }, ...nothing };
  const name = principal.name ?? "";
  if (principal.type === "user") {
    const user = iam.users.find(name);
    const isSame = user?.id === userId;
    const isSession = principal.expiresAt !== undefined;
    const issued = isSession ? sessionKeys(iam, principal) : {};
    return {
      requester: { kind: "user", arn, accountId, userId, ...(isSame ? { tags: user.tags } : {}) },
      identity: isSame ? policiesOf(iam, "user", user.name) : [],
      boundary: isSame ? boundaryOf(iam, user.boundary) : undefined,
      session: undefined,
      keys: issued,
    };
  }
  const role = iam.roles.find(name);
  const isSame = role !== undefined && role.id === userId.split(":")[0];
  const extras = iam.sessions.extras(principal.accessKeyId);
  const tags = { ...(isSame ? role.tags : {}), ...extras?.tags };
  const policies = extras?.policies ?? [];
  return {
    requester: {
      kind: "session",
      arn,
      roleArn: isSame ? role.arn : `arn:aws:iam::${accountId}:role/${name}`,
      accountId,
      userId,
      tags,
    },
    identity: isSame ? policiesOf(iam, "role", role.name) : [],
    boundary: isSame ? boundaryOf(iam, role.boundary) : undefined,
    session: policies.length === 0 ? undefined : policies,
    keys: sessionKeys(iam, principal),
  };
}

function sessionKeys(iam: Iam, principal: Principal): ContextKeys {
  const issuedAt = iam.sessions.extras(principal.accessKeyId)?.createdAt;
  return {
    "aws:MultiFactorAuthPresent": "false",
    ...(issuedAt === undefined ? {} : { "aws:TokenIssueTime": new Date(issuedAt).toISOString() }),
  };
}

function policiesOf({ policies }: Iam, owner: Owner, name: string): NamedDocument[] {
  const inline = policies.listInline(owner, name).map((policy) => ({
    name: `inline policy ${policy} of ${owner} ${name}`,
    document: policies.getInline(owner, name, policy),
  }));
  const managed = policies.attached(owner, name).flatMap(({ arn }) => managedDocument(policies, arn));
  return [...inline, ...managed];
}

function boundaryOf({ policies }: Iam, arn: string | undefined): NamedDocument | undefined {
  if (arn === undefined) return undefined;
  // A boundary whose policy is gone allows nothing.
  return managedDocument(policies, arn)[0] ?? { name: arn, document: '{"Statement":[]}' };
}

/** A managed policy's text: the account's own, or one of AWS's that are kept here. */
export function managedDocument(policies: Iam["policies"], arn: string): NamedDocument[] {
  const document = AWS_MANAGED.get(arn) ?? policies.defaultDocument(arn);
  return document === undefined ? [] : [{ name: arn, document }];
}
