import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { AwsError } from "../service.ts";
import { uniqueId } from "./ids.ts";
import { alreadyExists, deleteConflict, noSuchEntity, type Tags } from "./rows.ts";

export interface InstanceProfile {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly tags: Tags;
  /** Name of the role in it. */
  readonly role: string | undefined;
}

interface ProfileRow {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly created_at: number;
  readonly tags: string;
  readonly role: string | null;
}

export type InstanceProfileStore = ReturnType<typeof createInstanceProfileStore>;

/** What gives a role to an EC2 instance: a profile holds at most one role. */
export function createInstanceProfileStore(db: Database, clock: Clock, accountId: string) {
  const profileOf = (row: ProfileRow): InstanceProfile => ({
    name: row.name,
    id: row.id,
    path: row.path,
    arn: `arn:aws:iam::${accountId}:instance-profile${row.path}${row.name}`,
    createdAt: row.created_at,
    tags: JSON.parse(row.tags) as Tags,
    role: row.role ?? undefined,
  });
  const find = (name: string): InstanceProfile | undefined => {
    const row = db.prepare("SELECT * FROM iam_instance_profiles WHERE name = ?").get(name) as ProfileRow | undefined;
    return row === undefined ? undefined : profileOf(row);
  };
  const get = (name: string): InstanceProfile => {
    const profile = find(name);
    if (profile === undefined) throw noSuchEntity(`Instance Profile ${name} cannot be found.`);
    return profile;
  };
  const setRole = (name: string, role: string | null) =>
    db.prepare("UPDATE iam_instance_profiles SET role = ? WHERE name = ?").run(role, name);

  return {
    get,
    list(pathPrefix: string): InstanceProfile[] {
      const rows = db.prepare("SELECT * FROM iam_instance_profiles ORDER BY name").all() as ProfileRow[];
      return rows.map(profileOf).filter(({ path }) => path.startsWith(pathPrefix));
    },
    create(name: string, path: string, tags: Tags): InstanceProfile {
      if (find(name) !== undefined) throw alreadyExists(`Instance Profile ${name} already exists.`);
      db.prepare("INSERT INTO iam_instance_profiles (name, id, path, created_at, tags) VALUES (?, ?, ?, ?, ?)").run(
        name,
        uniqueId("AIPA"),
        path,
        clock.now(),
        JSON.stringify(tags),
      );
      return get(name);
    },
    delete(name: string): void {
      if (get(name).role !== undefined)
        throw deleteConflict("Cannot delete entity, must remove roles from instance profile first.");
      db.prepare("DELETE FROM iam_instance_profiles WHERE name = ?").run(name);
    },
    addRole(name: string, role: string): void {
      if (get(name).role !== undefined) {
        throw new AwsError("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409);
      }
      setRole(name, role);
    },
    removeRole(name: string, role: string): void {
      if (get(name).role?.toLowerCase() !== role.toLowerCase()) {
        throw noSuchEntity(`The role with name ${role} cannot be found.`);
      }
      setRole(name, null);
    },
  };
}
