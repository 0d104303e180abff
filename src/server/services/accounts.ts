import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import {
  API_KEY_PATTERN,
  deleteApiKeyById,
  deleteApiKeysOfUser,
  findApiKeyById,
  findKeyHolder,
  insertApiKey,
  isApiKeyTaken,
  listApiKeys,
  mintApiKey,
  touchApiKey,
} from "../../store/api-keys.ts";
import type { Tx } from "../../store/database.ts";
import { findEntity, insertEntity, listEntities } from "../../store/entities.ts";
import { insertMembership, membershipsOfEntity, membershipsOfUser } from "../../store/memberships.ts";
import type { ApiKeyRecord, EntityRecord, MemberRole, MembershipRecord, UserRecord } from "../../store/records.ts";
import { anyUser, countAdmins, findUser, insertUser, listUsers, markUserDeleted } from "../../store/users.ts";
import { maySee, refuseRunKey, requireAdmin } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
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
  /** For oneself, or as an admin for another user. `apiKey`: one that they have already. API_KEY_INVALID, API_KEY_TAKEN. */
  createApiKey(
    principal: Principal,
    input: { readonly description: string; readonly username?: string | null; readonly apiKey?: string | null },
  ): Promise<{ record: ApiKeyRecord; key: string }>;
  deleteApiKey(principal: Principal, id: string): Promise<void>;
  /** Undefined when there is none that the caller may see; without a name the caller's own. */
  entity(principal: Principal, name?: string | null): Promise<EntityRecord | undefined>;
  entityById(principal: Principal, id: string): Promise<EntityRecord | undefined>;
  members(principal: Principal, entityId: string): Promise<readonly MembershipRecord[]>;
  /** The teams a user is in. */
  teams(principal: Principal, userId: string): Promise<readonly EntityRecord[]>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** When a key was last used is noted at most so often: it is for people, and would be a write per request. */
const TOUCH_MS = 60_000;

export function createAccountsService(context: ServiceContext): AccountsService {
  const { database, clock, newId, random, limits } = context;
  const { kysely } = database;

  async function makeUser(
    tx: Tx,
    input: { name: string; email?: string | null; admin: boolean; apiKey?: string | null | undefined },
  ): Promise<{ user: UserRecord; apiKey: string }> {
    checkName(input.name);
    const apiKey = input.apiKey ?? mintApiKey(random);
    if (!API_KEY_PATTERN.test(apiKey)) throw new SlipwayError("API_KEY_INVALID");
    if (await findEntity(tx.kysely, { name: input.name }))
      throw new SlipwayError("NAME_TAKEN", { values: { name: input.name } });
    if (await isApiKeyTaken(tx.kysely, apiKey)) throw new SlipwayError("API_KEY_TAKEN");
    const entity = await insertEntity(tx.kysely, { id: newId(), name: input.name, isTeam: false, now: tx.now });
    const user = await insertUser(tx.kysely, {
      id: newId(),
      name: input.name,
      email: input.email ?? null,
      admin: input.admin,
      entityId: entity.id,
      now: tx.now,
    });
    const key = { id: newId(), userId: user.id, key: apiKey, description: "first key", now: tx.now };
    await insertApiKey(tx.kysely, key);
    return { user, apiKey };
  }

  /** Two that take a name at once: the later one meets the table's own rule. */
  async function orNameTaken<T>(name: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (database.dialect.isUniqueViolation(error))
        throw new SlipwayError("NAME_TAKEN", { values: { name }, cause: error });
      throw error;
    }
  }

  async function userNamed(name: string): Promise<UserRecord> {
    const user = await findUser(kysely, { name });
    if (user) return user;
    const names = (await listUsers(kysely)).map((other) => other.name);
    throw new SlipwayError("USER_NOT_FOUND", { values: { name }, ...didYouMean(name, names) });
  }

  return {
    async ensureFirstAdmin(input) {
      if (await anyUser(kysely)) return null;
      try {
        return await database.transaction(clock, (tx) =>
          makeUser(tx, { name: input.name, admin: true, apiKey: input.apiKey }),
        );
      } catch (error) {
        // Another server process that starts on the same database was first.
        if (await anyUser(kysely)) return null;
        throw error;
      }
    },

    async authenticate(apiKey) {
      const holder = await findKeyHolder(kysely, apiKey, clock.now() - limits.jobKeyGraceMs);
      if (!holder) return undefined;
      const { keyId, userId, username, entityId, admin, run } = holder;
      const now = clock.now();
      if ((holder.lastUsedAt ?? 0) < now - TOUCH_MS) await touchApiKey(kysely, keyId, now);
      const roles = new Map<string, MemberRole>([[entityId, "ADMIN"]]);
      for (const membership of holder.memberships) roles.set(membership.entityId, membership.role);
      return {
        userId,
        username,
        entityId,
        entityName: username,
        admin,
        apiKeyId: keyId,
        roles,
        run,
      };
    },

    async user(principal) {
      const user = await findUser(kysely, { id: principal.userId });
      if (!user) throw new SlipwayError("USER_NOT_FOUND", { values: { name: principal.username } });
      return user;
    },

    userById: (_principal, id) => findUser(kysely, { id }),

    async users(principal) {
      requireAdmin(principal, "see the users");
      return listUsers(kysely);
    },

    async createUser(principal, input) {
      requireAdmin(principal, "make users");
      const { name, email, admin, apiKey } = input;
      return orNameTaken(
        name,
        database.transaction(clock, (tx) =>
          makeUser(tx, { name, email: email ?? null, admin: admin ?? false, apiKey }),
        ),
      );
    },

    async deleteUser(principal, name) {
      requireAdmin(principal, "delete users");
      const user = await userNamed(name);
      await database.transaction(clock, async (tx) => {
        if (user.admin && (await countAdmins(tx.kysely)) <= 1)
          throw new SlipwayError("LAST_ADMIN", { values: { name } });
        await markUserDeleted(tx.kysely, user.id, tx.now);
        await deleteApiKeysOfUser(tx.kysely, user.id);
      });
    },

    async createTeam(principal, input) {
      requireAdmin(principal, "make teams");
      checkName(input.name);
      const members = await Promise.all(
        input.members.map(async (member) => ({ userId: (await userNamed(member.username)).id, role: member.role })),
      );
      return orNameTaken(
        input.name,
        database.transaction(clock, async (tx) => {
          const entity = await insertEntity(tx.kysely, { id: newId(), name: input.name, isTeam: true, now: tx.now });
          const roles = new Map(members.map((member) => [member.userId, member.role]));
          for (const [userId, role] of roles)
            await insertMembership(tx.kysely, { entityId: entity.id, userId, role, now: tx.now });
          return entity;
        }),
      );
    },

    async apiKeys(principal, userId) {
      refuseRunKey(principal);
      if (userId !== principal.userId) requireAdmin(principal, "see other users' keys");
      return listApiKeys(kysely, userId);
    },

    async createApiKey(principal, input) {
      refuseRunKey(principal);
      const username = input.username ?? principal.username;
      if (username !== principal.username) requireAdmin(principal, "make keys for others");
      const user = await userNamed(username);
      const key = input.apiKey ?? mintApiKey(random);
      if (!API_KEY_PATTERN.test(key)) throw new SlipwayError("API_KEY_INVALID");
      const row = { id: newId(), userId: user.id, key, description: input.description, now: clock.now() };
      try {
        return { record: await insertApiKey(kysely, row), key };
      } catch (error) {
        if (database.dialect.isUniqueViolation(error)) throw new SlipwayError("API_KEY_TAKEN", { cause: error });
        throw error;
      }
    },

    async deleteApiKey(principal, id) {
      refuseRunKey(principal);
      const key = await findApiKeyById(kysely, id);
      if (!key || (key.userId !== principal.userId && !principal.admin))
        throw new SlipwayError("KEY_NOT_FOUND", { values: { id } });
      await deleteApiKeyById(kysely, id);
    },

    async entity(principal, name) {
      const entity = await findEntity(kysely, name ? { name } : { id: principal.entityId });
      if (!entity) return undefined;
      // The training code of a job asks for its own entity.
      return maySee(principal, entity.id) || principal.run?.entityId === entity.id ? entity : undefined;
    },

    async entityById(principal, id) {
      return maySee(principal, id) || principal.run?.entityId === id ? findEntity(kysely, { id }) : undefined;
    },

    async members(principal, entityId) {
      return maySee(principal, entityId) ? membershipsOfEntity(kysely, entityId) : [];
    },

    async teams(principal, userId) {
      refuseRunKey(principal);
      if (userId !== principal.userId) requireAdmin(principal, "see other users' teams");
      const memberships = await membershipsOfUser(kysely, userId);
      return listEntities(
        kysely,
        memberships.map((membership) => membership.entityId),
      );
    },
  };
}

function checkName(name: string): void {
  if (!NAME.test(name)) throw new SlipwayError("NAME_INVALID", { values: { name: JSON.stringify(name) } });
}
