import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { AwsError } from "../service.ts";
import { uniqueId } from "./ids.ts";
import { checkPolicy } from "./policy-document.ts";
import { alreadyExists, deleteConflict, noSuchEntity, type Tags } from "./rows.ts";

/** Whom a policy belongs to or is attached to. */
export type Owner = "user" | "role";

export interface ManagedPolicy {
  readonly arn: string;
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly description: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly tags: Tags;
  /** `v1`. */
  readonly defaultVersion: string;
  readonly attachmentCount: number;
}

export interface PolicyVersion {
  readonly id: string;
  readonly document: string;
  readonly isDefault: boolean;
  readonly createdAt: number;
}

interface PolicyRow {
  readonly arn: string;
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly description: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly tags: string;
  readonly default_version: number;
  readonly next_version: number;
  readonly attachment_count: number;
}

interface VersionRow {
  readonly version: number;
  readonly document: string;
  readonly created_at: number;
}

const MAX_VERSIONS = 5;
const SELECT = `SELECT p.*, (SELECT count(*) FROM iam_attachments a WHERE a.arn = p.arn) AS attachment_count FROM iam_policies p`;

export type PolicyStore = ReturnType<typeof createPolicyStore>;

/** Managed policies with their versions, attachments, and inline policies. */
export function createPolicyStore(db: Database, clock: Clock, accountId: string) {
  const policyOf = (row: PolicyRow): ManagedPolicy => ({
    arn: row.arn,
    name: row.name,
    id: row.id,
    path: row.path,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    tags: JSON.parse(row.tags) as Tags,
    defaultVersion: `v${row.default_version}`,
    attachmentCount: row.attachment_count,
  });
  const findRow = (arn: string) => db.prepare(`${SELECT} WHERE p.arn = ?`).get(arn) as PolicyRow | undefined;
  const getRow = (arn: string): PolicyRow => {
    const row = findRow(arn);
    if (row === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
    return row;
  };
  const versions = (arn: string): PolicyVersion[] => {
    const policy = getRow(arn);
    const rows = db.prepare("SELECT * FROM iam_policy_versions WHERE arn = ? ORDER BY version DESC").all(arn);
    return (rows as VersionRow[]).map((row) => ({
      id: `v${row.version}`,
      document: row.document,
      isDefault: row.version === policy.default_version,
      createdAt: row.created_at,
    }));
  };
  const getVersion = (arn: string, id: string): PolicyVersion => {
    const version = versions(arn).find((candidate) => candidate.id === id);
    if (version === undefined) throw noSuchEntity(`Policy ${arn} version ${id} does not exist or is not attachable.`);
    return version;
  };
  const addVersion = (arn: string, version: number, document: string) =>
    db
      .prepare("INSERT INTO iam_policy_versions (arn, version, document, created_at) VALUES (?, ?, ?, ?)")
      .run(arn, version, document, clock.now());

  return {
    get: (arn: string): ManagedPolicy => policyOf(getRow(arn)),
    list(pathPrefix: string, onlyAttached: boolean): ManagedPolicy[] {
      const rows = (db.prepare(`${SELECT} ORDER BY p.name`).all() as PolicyRow[]).map(policyOf);
      return rows.filter(
        ({ path, attachmentCount }) => path.startsWith(pathPrefix) && (!onlyAttached || attachmentCount > 0),
      );
    },
    create(name: string, path: string, description: string, document: string, tags: Tags): ManagedPolicy {
      checkPolicy(document, "identity");
      const arn = `arn:aws:iam::${accountId}:policy${path}${name}`;
      if (db.prepare("SELECT 1 FROM iam_policies WHERE name = ?").get(name) !== undefined) {
        throw alreadyExists(`A policy called ${name} already exists. Duplicate names are not allowed.`);
      }
      const now = clock.now();
      db.transaction(() => {
        db.prepare(
          `INSERT INTO iam_policies
             (arn, name, id, path, description, created_at, updated_at, tags, default_version, next_version)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 2)`,
        ).run(arn, name, uniqueId("ANPA"), path, description, now, now, JSON.stringify(tags));
        addVersion(arn, 1, document);
      })();
      return policyOf(getRow(arn));
    },
    delete(arn: string): void {
      const policy = getRow(arn);
      if (policy.attachment_count > 0) throw deleteConflict("Cannot delete a policy attached to entities.");
      if (versions(arn).length > 1) {
        throw deleteConflict(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        );
      }
      db.transaction(() => {
        db.prepare("DELETE FROM iam_policy_versions WHERE arn = ?").run(arn);
        db.prepare("DELETE FROM iam_policies WHERE arn = ?").run(arn);
      })();
    },
    versions,
    getVersion,
    /** The text of the default version; undefined for a policy that is not there. */
    defaultDocument(arn: string): string | undefined {
      const row = db
        .prepare(
          `SELECT v.document FROM iam_policies p
           JOIN iam_policy_versions v ON v.arn = p.arn AND v.version = p.default_version WHERE p.arn = ?`,
        )
        .get(arn) as { document: string } | undefined;
      return row?.document;
    },
    createVersion(arn: string, document: string, setAsDefault: boolean): PolicyVersion {
      const policy = getRow(arn);
      checkPolicy(document, "identity");
      if (versions(arn).length >= MAX_VERSIONS) {
        throw new AwsError(
          "LimitExceeded",
          `A managed policy can have up to ${MAX_VERSIONS} versions. Before you create a new version, you must delete an existing version.`,
          409,
        );
      }
      db.transaction(() => {
        addVersion(arn, policy.next_version, document);
        db.prepare(
          "UPDATE iam_policies SET next_version = next_version + 1, updated_at = ?, default_version = ? WHERE arn = ?",
        ).run(clock.now(), setAsDefault ? policy.next_version : policy.default_version, arn);
      })();
      return getVersion(arn, `v${policy.next_version}`);
    },
    setDefaultVersion(arn: string, id: string): void {
      getVersion(arn, id);
      db.prepare("UPDATE iam_policies SET default_version = ?, updated_at = ? WHERE arn = ?").run(
        Number(id.slice(1)),
        clock.now(),
        arn,
      );
    },
    deleteVersion(arn: string, id: string): void {
      if (getVersion(arn, id).isDefault) throw deleteConflict("Cannot delete the default version of a policy.");
      db.prepare("DELETE FROM iam_policy_versions WHERE arn = ? AND version = ?").run(arn, Number(id.slice(1)));
    },
    setTags(arn: string, change: (tags: Tags) => Tags): void {
      const tags = JSON.parse(getRow(arn).tags) as Tags;
      db.prepare("UPDATE iam_policies SET tags = ? WHERE arn = ?").run(JSON.stringify(change(tags)), arn);
    },
    /** Policies that AWS itself manages (`arn:aws:iam::aws:policy/...`) may be attached by name; their text is not kept here. */
    attach(owner: Owner, name: string, arn: string): void {
      if (!arn.startsWith("arn:aws:iam::aws:policy/") && findRow(arn) === undefined) {
        throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
      }
      db.prepare("INSERT OR IGNORE INTO iam_attachments (owner, name, arn) VALUES (?, ?, ?)").run(owner, name, arn);
    },
    detach(owner: Owner, name: string, arn: string): void {
      const { changes } = db
        .prepare("DELETE FROM iam_attachments WHERE owner = ? AND name = ? AND arn = ?")
        .run(owner, name, arn);
      if (changes === 0) throw noSuchEntity(`Policy ${arn} was not found.`);
    },
    attached(owner: Owner, name: string): { name: string; arn: string }[] {
      const rows = db
        .prepare("SELECT arn FROM iam_attachments WHERE owner = ? AND name = ? ORDER BY arn")
        .all(owner, name);
      return (rows as { arn: string }[]).map(({ arn }) => ({ arn, name: arn.slice(arn.lastIndexOf("/") + 1) }));
    },
    attachedTo(arn: string): { owner: Owner; name: string }[] {
      getRow(arn);
      const rows = db.prepare("SELECT owner, name FROM iam_attachments WHERE arn = ? ORDER BY owner, name").all(arn);
      return (rows as { owner: Owner; name: string }[]).map(({ owner, name }) => ({ owner, name }));
    },
    putInline(owner: Owner, name: string, policy: string, document: string): void {
      checkPolicy(document, "identity");
      db.prepare("INSERT OR REPLACE INTO iam_inline_policies (owner, name, policy, document) VALUES (?, ?, ?, ?)").run(
        owner,
        name,
        policy,
        document,
      );
    },
    getInline(owner: Owner, name: string, policy: string): string {
      const row = db
        .prepare("SELECT document FROM iam_inline_policies WHERE owner = ? AND name = ? AND policy = ?")
        .get(owner, name, policy) as { document: string } | undefined;
      if (row === undefined) throw noSuchEntity(`The ${owner} policy with name ${policy} cannot be found.`);
      return row.document;
    },
    deleteInline(owner: Owner, name: string, policy: string): void {
      const { changes } = db
        .prepare("DELETE FROM iam_inline_policies WHERE owner = ? AND name = ? AND policy = ?")
        .run(owner, name, policy);
      if (changes === 0) throw noSuchEntity(`The ${owner} policy with name ${policy} cannot be found.`);
    },
    listInline(owner: Owner, name: string): string[] {
      const rows = db
        .prepare("SELECT policy FROM iam_inline_policies WHERE owner = ? AND name = ? ORDER BY policy")
        .all(owner, name);
      return (rows as { policy: string }[]).map(({ policy }) => policy);
    },
  };
}
