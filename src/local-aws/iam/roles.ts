import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { uniqueId } from "./ids.ts";
import { checkPolicy } from "./policy-document.ts";
import { alreadyExists, deleteConflict, noSuchEntity, type Tags } from "./rows.ts";

export interface Role {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly tags: Tags;
  /** JSON text, as it was given. */
  readonly trustPolicy: string;
  readonly description: string;
  readonly maxSessionSeconds: number;
  /** ARN of the managed policy that limits what the role's own policies allow. */
  readonly boundary: string | undefined;
}

interface RoleRow {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly created_at: number;
  readonly tags: string;
  readonly trust_policy: string;
  readonly description: string;
  readonly max_session_seconds: number;
  readonly boundary: string | null;
}

export type RoleStore = ReturnType<typeof createRoleStore>;

/** Roles and who may assume them. */
export function createRoleStore(db: Database, clock: Clock, accountId: string) {
  const roleOf = (row: RoleRow): Role => ({
    name: row.name,
    id: row.id,
    path: row.path,
    arn: `arn:aws:iam::${accountId}:role${row.path}${row.name}`,
    createdAt: row.created_at,
    tags: JSON.parse(row.tags) as Tags,
    trustPolicy: row.trust_policy,
    description: row.description,
    maxSessionSeconds: row.max_session_seconds,
    boundary: row.boundary ?? undefined,
  });
  const find = (name: string): Role | undefined => {
    const row = db.prepare("SELECT * FROM iam_roles WHERE name = ?").get(name) as RoleRow | undefined;
    return row === undefined ? undefined : roleOf(row);
  };
  const get = (name: string): Role => {
    const role = find(name);
    if (role === undefined) throw noSuchEntity(`The role with name ${name} cannot be found.`);
    return role;
  };
  const findByArn = (arn: string): Role | undefined => {
    const role = find(arn.slice(arn.lastIndexOf("/") + 1));
    return role?.arn === arn ? role : undefined;
  };
  const count = (sql: string, name: string) => (db.prepare(sql).get(name) as { n: number }).n;

  return {
    find,
    get,
    /** The role that an ARN names; undefined if there is none. */
    findByArn,
    list(pathPrefix: string): Role[] {
      const rows = db.prepare("SELECT * FROM iam_roles ORDER BY name").all() as RoleRow[];
      return rows.map(roleOf).filter(({ path }) => path.startsWith(pathPrefix));
    },
    create(role: Omit<Role, "id" | "arn" | "createdAt">): Role {
      if (find(role.name) !== undefined) throw alreadyExists(`Role with name ${role.name} already exists.`);
      checkPolicy(role.trustPolicy, "trust");
      db.prepare(
        `INSERT INTO iam_roles (name, id, path, created_at, tags, trust_policy, description, max_session_seconds, boundary)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        role.name,
        uniqueId("AROA"),
        role.path,
        clock.now(),
        JSON.stringify(role.tags),
        role.trustPolicy,
        role.description,
        role.maxSessionSeconds,
        role.boundary ?? null,
      );
      return get(role.name);
    },
    update(name: string, change: Partial<Pick<Role, "description" | "maxSessionSeconds" | "trustPolicy">>): Role {
      const role = { ...get(name), ...change };
      checkPolicy(role.trustPolicy, "trust");
      db.prepare("UPDATE iam_roles SET trust_policy = ?, description = ?, max_session_seconds = ? WHERE name = ?").run(
        role.trustPolicy,
        role.description,
        role.maxSessionSeconds,
        role.name,
      );
      return role;
    },
    /** Undefined takes the boundary away. */
    setBoundary(name: string, policyArn: string | undefined): void {
      db.prepare("UPDATE iam_roles SET boundary = ? WHERE name = ?").run(policyArn ?? null, get(name).name);
    },
    setTags(name: string, change: (tags: Tags) => Tags): void {
      const role = get(name);
      db.prepare("UPDATE iam_roles SET tags = ? WHERE name = ?").run(JSON.stringify(change(role.tags)), role.name);
    },
    delete(name: string): void {
      const role = get(name);
      if (count("SELECT count(*) AS n FROM iam_instance_profiles WHERE role = ?", role.name) > 0) {
        throw deleteConflict("Cannot delete entity, must remove roles from instance profile first.");
      }
      if (count("SELECT count(*) AS n FROM iam_attachments WHERE owner = 'role' AND name = ?", role.name) > 0) {
        throw deleteConflict("Cannot delete entity, must detach all policies first.");
      }
      if (count("SELECT count(*) AS n FROM iam_inline_policies WHERE owner = 'role' AND name = ?", role.name) > 0) {
        throw deleteConflict("Cannot delete entity, must delete policies first.");
      }
      db.prepare("DELETE FROM iam_roles WHERE name = ?").run(role.name);
    },
  };
}
