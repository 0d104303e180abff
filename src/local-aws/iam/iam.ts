import type { LocalAwsContext } from "../service.ts";
import type { KeyLookup } from "../sigv4/authenticate.ts";
import { createSessionStore, type SessionStore } from "../sts/sessions.ts";
import { createInstanceProfileStore, type InstanceProfileStore } from "./instance-profiles.ts";
import { createPolicyStore, type PolicyStore } from "./policies.ts";
import { createRoleStore, type RoleStore } from "./roles.ts";
import { createIamTables } from "./tables.ts";
import { createUserStore, type UserStore } from "./users.ts";

/** Who exists in the account, and what they hold: what the IAM and STS services, the gateway and SageMaker share. */
export interface Iam {
  readonly users: UserStore;
  readonly roles: RoleStore;
  readonly policies: PolicyStore;
  readonly instanceProfiles: InstanceProfileStore;
  readonly sessions: SessionStore;
  /** Finds the secret of an access key, long-lived or temporary. */
  readonly keys: KeyLookup;
}

/** Opens the account's identities in the context's database. */
export function createIam({ db, clock, accountId }: Pick<LocalAwsContext, "db" | "clock" | "accountId">): Iam {
  createIamTables(db);
  const users = createUserStore(db, clock, accountId);
  const sessions = createSessionStore(db, clock, accountId);
  return {
    users,
    roles: createRoleStore(db, clock, accountId),
    policies: createPolicyStore(db, clock, accountId),
    instanceProfiles: createInstanceProfileStore(db, clock, accountId),
    sessions,
    keys: (id) => users.knownKey(id) ?? sessions.knownKey(id),
  };
}
