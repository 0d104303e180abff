import { matchesAction } from "./pattern.ts";
import { type Naming, namedBy } from "./principal.ts";
import type { Question } from "./statements.ts";

/** A grant of a KMS key: allows some operations of it to one principal, beside the key's policy. https://docs.aws.amazon.com/kms/latest/developerguide/grants.html */
export interface Grant {
  readonly id: string;
  /** ARN of a user, a role, a session or an account, or a service's name. */
  readonly granteePrincipal: string;
  /** `Decrypt`, `GenerateDataKey`, ... */
  readonly operations: readonly string[];
  /** The encryption context that a request must have (`equals`) or contain (`subset`). */
  readonly encryptionContext?: {
    readonly equals?: Readonly<Record<string, string>>;
    readonly subset?: Readonly<Record<string, string>>;
  };
}

const CONTEXT_KEY = "kms:encryptioncontext:";

/** How closely each grant that allows a request names the requester. */
export function matchingGrants(grants: readonly Grant[], { requester, action, context }: Question): Naming[] {
  return grants.flatMap((grant) => {
    if (!grant.operations.some((operation) => matchesAction(`kms:${operation}`, action))) return [];
    const kind = /^[\w.-]+\.amazonaws\.com/.test(grant.granteePrincipal) ? "Service" : "AWS";
    const naming = namedBy({ not: false, byKind: { [kind]: [grant.granteePrincipal] } }, requester);
    if (naming === undefined) return [];
    const { equals, subset } = grant.encryptionContext ?? {};
    const wanted = Object.entries(equals ?? subset ?? {});
    const has = wanted.every(([key, value]) => context.values(CONTEXT_KEY + key)?.[0] === value);
    const names = context.values("kms:EncryptionContextKeys") ?? [];
    return has && (equals === undefined || names.length === wanted.length) ? [naming] : [];
  });
}
