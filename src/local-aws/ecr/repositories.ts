import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import { invalidParameter, repositoryAlreadyExists, repositoryNotFound } from "./errors.ts";
import { REPOSITORY_NAME, type RegistryScope, registryHost } from "./names.ts";

export type TagMutability = "MUTABLE" | "IMMUTABLE" | "MUTABLE_WITH_EXCLUSION" | "IMMUTABLE_WITH_EXCLUSION";

export interface ExclusionFilter {
  readonly filterType: "WILDCARD";
  readonly filter: string;
}

export interface Repository extends RegistryScope {
  readonly id: number;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly mutability: TagMutability;
  readonly exclusions: readonly ExclusionFilter[];
  readonly scanOnPush: boolean;
  readonly encryption: Readonly<Record<string, string>>;
  readonly policy: string | undefined;
  readonly lifecycle: string | undefined;
  readonly lifecycleAt: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

export type RepositorySettings = Partial<
  Pick<
    Repository,
    "mutability" | "exclusions" | "scanOnPush" | "policy" | "lifecycle" | "lifecycleAt" | "tags" | "encryption"
  >
>;

export interface Repositories {
  /** Throws RepositoryAlreadyExistsException. */
  create(scope: RegistryScope, name: string, settings: RepositorySettings): Repository;
  find(scope: RegistryScope, name: string): Repository | undefined;
  byId(id: number): Repository | undefined;
  /** Throws RepositoryNotFoundException, or InvalidParameterException for a name that can be none. */
  get(scope: RegistryScope, name: string): Repository;
  /** In the order of their names, those after `after`. */
  list(scope: RegistryScope, after?: string, limit?: number): Repository[];
  /** `undefined` of a policy removes it; a setting that is not given stays. */
  update(repository: Repository, settings: RepositorySettings): void;
  /** Removes the repository and everything in it; blobs that nothing else has are left to the collection. */
  delete(repository: Repository): void;
}

interface Row {
  id: number;
  account_id: string;
  region: string;
  name: string;
  created_at: number;
  mutability: TagMutability;
  exclusions: string | null;
  scan_on_push: number;
  encryption: string;
  policy: string | null;
  lifecycle: string | null;
  lifecycle_at: number | null;
  tags: string;
}

export function createRepositories(db: Database, clock: Clock): Repositories {
  const find = (scope: RegistryScope, name: string) => {
    const row = db
      .prepare("SELECT * FROM ecr_repositories WHERE account_id = ? AND region = ? AND name = ?")
      .get(scope.accountId, scope.region, name) as Row | undefined;
    return row && fromRow(row);
  };
  return {
    find,
    byId: (id) => {
      const row = db.prepare("SELECT * FROM ecr_repositories WHERE id = ?").get(id) as Row | undefined;
      return row && fromRow(row);
    },
    create: (scope, name, settings) => {
      checkName(name);
      const made = db
        .prepare(
          `INSERT INTO ecr_repositories (account_id, region, name, created_at, mutability, exclusions, scan_on_push, encryption, tags)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        )
        .run(
          scope.accountId,
          scope.region,
          name,
          clock.now(),
          settings.mutability ?? "MUTABLE",
          JSON.stringify(settings.exclusions ?? []),
          settings.scanOnPush ? 1 : 0,
          JSON.stringify(settings.encryption ?? { encryptionType: "AES256" }),
          JSON.stringify(settings.tags ?? {}),
        );
      if (made.changes === 0) throw repositoryAlreadyExists(name, scope.accountId);
      return find(scope, name)!;
    },
    get: (scope, name) => {
      checkName(name);
      const found = find(scope, name);
      if (!found) throw repositoryNotFound(name, scope.accountId);
      return found;
    },
    list: (scope, after = "", limit = -1) => {
      const rows = db
        .prepare(
          "SELECT * FROM ecr_repositories WHERE account_id = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
        )
        .all(scope.accountId, scope.region, after, limit) as Row[];
      return rows.map(fromRow);
    },
    update: (repository, settings) => {
      const merged = { ...repository, ...settings };
      db.prepare(
        `UPDATE ecr_repositories SET mutability = ?, exclusions = ?, scan_on_push = ?, policy = ?, lifecycle = ?, lifecycle_at = ?, tags = ?
         WHERE id = ?`,
      ).run(
        merged.mutability,
        JSON.stringify(merged.exclusions),
        merged.scanOnPush ? 1 : 0,
        merged.policy ?? null,
        merged.lifecycle ?? null,
        merged.lifecycleAt ?? null,
        JSON.stringify(merged.tags),
        repository.id,
      );
    },
    delete: (repository) => {
      db.transaction(() => {
        for (const table of [
          "ecr_tags",
          "ecr_manifest_references",
          "ecr_manifests",
          "ecr_repository_blobs",
          "ecr_uploads",
        ])
          db.prepare(`DELETE FROM ${table} WHERE repository_id = ?`).run(repository.id);
        db.prepare("DELETE FROM ecr_repositories WHERE id = ?").run(repository.id);
      })();
    },
  };
}

export function repositoryArn(repository: Repository): string {
  return `arn:aws:ecr:${repository.region}:${repository.accountId}:repository/${repository.name}`;
}

/** `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`. */
export function repositoryUri(repository: Repository): string {
  return `${registryHost(repository)}/${repository.name}`;
}

/** Whether a push may move this tag once it is there. Wildcards: `*` stands for any characters (ECR user guide, tag mutability). */
export function tagIsImmutable(repository: Repository, tag: string): boolean {
  const excluded = repository.exclusions.some(({ filter }) =>
    new RegExp(`^${filter.split("*").map(escapeRegExp).join(".*")}$`).test(tag),
  );
  if (repository.mutability === "IMMUTABLE") return true;
  if (repository.mutability === "IMMUTABLE_WITH_EXCLUSION") return !excluded;
  return repository.mutability === "MUTABLE_WITH_EXCLUSION" && excluded;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function checkName(name: string): void {
  if (name.length < 2) throw invalidParameter("repositoryName", "must have length greater than or equal to 2");
  if (name.length > 256) throw invalidParameter("repositoryName", "must have length less than or equal to 256");
  if (!REPOSITORY_NAME.test(name))
    throw invalidParameter(
      "repositoryName",
      `must satisfy regular expression '${REPOSITORY_NAME.source.slice(1, -1)}'`,
    );
}

function fromRow(row: Row): Repository {
  return {
    id: row.id,
    accountId: row.account_id,
    region: row.region,
    name: row.name,
    createdAt: row.created_at,
    mutability: row.mutability,
    exclusions: JSON.parse(row.exclusions ?? "[]") as ExclusionFilter[],
    scanOnPush: row.scan_on_push === 1,
    encryption: JSON.parse(row.encryption) as Record<string, string>,
    policy: row.policy ?? undefined,
    lifecycle: row.lifecycle ?? undefined,
    lifecycleAt: row.lifecycle_at ?? undefined,
    tags: JSON.parse(row.tags) as Record<string, string>,
  };
}
