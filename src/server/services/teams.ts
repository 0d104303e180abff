import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { Tx } from "../../store/database.ts";
import { findEntity, insertEntity } from "../../store/entities.ts";
import { deleteMembership, insertMembership } from "../../store/memberships.ts";
import type { EntityRecord, UserRecord } from "../../store/records.ts";
import { findUser, findUserByEmail, insertUser, listUsers, searchUsers } from "../../store/users.ts";
import { requireAdmin, requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import type { Principal } from "./principal.ts";

/** Who belongs to a team. Its admins (and the server's) change that. */
export interface TeamsService {
  /** Takes a user into the team at once. USER_NOT_FOUND, MEMBER_EXISTS. */
  invite(
    principal: Principal,
    input: {
      readonly entityName: string;
      readonly username?: string | null;
      readonly email?: string | null;
      readonly admin?: boolean | null;
    },
  ): Promise<{ user: UserRecord; team: EntityRecord }>;
  /** False if the user was no member. */
  removeMember(principal: Principal, input: { readonly entityName: string; readonly userId: string }): Promise<boolean>;
  /** A user of the team that no person is. It has no key until an admin makes one for it. */
  createServiceAccount(
    principal: Principal,
    input: { readonly entityName: string; readonly description: string },
  ): Promise<UserRecord>;
  /** Users whose name or email address contains the text, exact ones first; all without one. Admins only. */
  searchUsers(principal: Principal, text: string | null): Promise<readonly UserRecord[]>;
}

export function createTeamsService(context: ServiceContext): TeamsService {
  const { database, clock, newId } = context;
  const { kysely } = database;

  async function teamToChange(principal: Principal, name: string): Promise<EntityRecord> {
    const team = await visibleEntity(kysely, principal, name);
    requireRole(principal, team, "ADMIN", "change who is in the team");
    if (team.isTeam) return team;
    const problem = `${name} is a person, not a team`;
    throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "entityName" });
  }

  async function userToInvite(username: string | null, email: string | null): Promise<UserRecord> {
    const user = username ? await findUser(kysely, { name: username }) : undefined;
    const found = user ?? (email ? await findUserByEmail(kysely, email) : undefined);
    if (found) return found;
    const name = username ?? email ?? "";
    const names = (await listUsers(kysely)).map((other) => other.name);
    throw new SlipwayError("USER_NOT_FOUND", { values: { name }, ...didYouMean(name, names) });
  }

  return {
    async invite(principal, input) {
      const team = await teamToChange(principal, input.entityName);
      const user = await userToInvite(input.username ?? null, input.email ?? null);
      const role = input.admin ? "ADMIN" : "MEMBER";
      try {
        await database.transaction(clock, (tx) =>
          insertMembership(tx.kysely, { entityId: team.id, userId: user.id, role, now: tx.now }),
        );
      } catch (cause) {
        if (!database.dialect.isUniqueViolation(cause)) throw cause;
        throw new SlipwayError("MEMBER_EXISTS", { values: { name: user.name, team: team.name }, cause });
      }
      return { user, team };
    },

    async removeMember(principal, { entityName, userId }) {
      const team = await teamToChange(principal, entityName);
      return deleteMembership(kysely, team.id, userId);
    },

    async createServiceAccount(principal, { entityName, description }) {
      const team = await teamToChange(principal, entityName);
      return database.transaction(clock, async (tx) => {
        const name = await freeName(tx, `${team.name}-${slug(description)}`);
        const entity = await insertEntity(tx.kysely, { id: newId(), name, isTeam: false, now: tx.now });
        const user = await insertUser(tx.kysely, {
          id: newId(),
          name,
          email: null,
          admin: false,
          entityId: entity.id,
          now: tx.now,
          service: true,
        });
        await insertMembership(tx.kysely, { entityId: team.id, userId: user.id, role: "MEMBER", now: tx.now });
        return user;
      });
    },

    async searchUsers(principal, text) {
      requireAdmin(principal, "see the users");
      return text ? searchUsers(kysely, text) : listUsers(kysely);
    },
  };
}

const MAX_SLUG = 60;

function slug(text: string): string {
  const words = text.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return words.slice(0, MAX_SLUG).toLowerCase() || "service";
}

/** The name, or with the first number behind it under which there is nobody yet. */
async function freeName(tx: Tx, wanted: string): Promise<string> {
  let name = wanted;
  for (let n = 2; await findEntity(tx.kysely, { name }); n++) name = `${wanted}-${n}`;
  return name;
}
