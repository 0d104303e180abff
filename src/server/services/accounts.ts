import type { ApiKeyRecord, EntityRecord, MemberRole, MembershipRecord, UserRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

/** Users, teams, roles and API keys. */
export interface AccountsService {
  /**
   * Makes the first admin if the server has no user yet. Answers the user, its key in plain when one was made or given
   * (null: the users were there already).
   */
  ensureFirstAdmin(input: {
    readonly name: string;
    readonly apiKey?: string;
  }): Promise<{ user: UserRecord; apiKey: string } | null>;
  /** The caller of a key; undefined if the key is unknown or its user is gone. */
  authenticate(apiKey: string): Promise<Principal | undefined>;
  user(principal: Principal): Promise<UserRecord>;
  /** The user behind a run that the caller may see; undefined when it is gone. */
  userById(principal: Principal, id: string): Promise<UserRecord | undefined>;
  /** Admins only. */
  users(principal: Principal): Promise<readonly UserRecord[]>;
  /** Admins only. Makes the user, its entity and a key, which is answered this once. */
  createUser(
    principal: Principal,
    input: {
      readonly name: string;
      readonly email?: string | null;
      readonly admin?: boolean | null;
      readonly apiKey?: string | null;
    },
  ): Promise<{ user: UserRecord; apiKey: string }>;
  /** Admins only. Its keys stop working at once; its items and runs stay. */
  deleteUser(principal: Principal, name: string): Promise<void>;
  createTeam(
    principal: Principal,
    input: {
      readonly name: string;
      readonly members: readonly { readonly username: string; readonly role: MemberRole }[];
    },
  ): Promise<EntityRecord>;
  apiKeys(principal: Principal, userId: string): Promise<readonly ApiKeyRecord[]>;
  /** For oneself, or as an admin for another user. */
  createApiKey(
    principal: Principal,
    input: { readonly description: string; readonly username?: string | null },
  ): Promise<{ record: ApiKeyRecord; key: string }>;
  deleteApiKey(principal: Principal, id: string): Promise<void>;
  /** Undefined when there is none that the caller may see; without a name the caller's own. */
  entity(principal: Principal, name?: string | null): Promise<EntityRecord | undefined>;
  entityById(principal: Principal, id: string): Promise<EntityRecord | undefined>;
  members(principal: Principal, entityId: string): Promise<readonly MembershipRecord[]>;
  /** The teams a user is in. */
  teams(principal: Principal, userId: string): Promise<readonly EntityRecord[]>;
}
