import type { Readable } from "node:stream";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { codeArchiveBytes, findCodeArchive, insertCodeArchive } from "../../store/code-archives.ts";
import { FileTooLarge } from "../../store/files.ts";
import { requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import type { Principal } from "./principal.ts";

/** Directories of code, packed by clients and kept under their digest. */
export interface CodeArchivesService {
  /** Is it there already? Clients ask before they send. */
  has(principal: Principal, entityName: string, digest: string): Promise<boolean>;
  /** CODE_DIGEST_MISMATCH if the content is another's; CODE_ARCHIVE_TOO_LARGE beyond the limit. Storing it twice is fine. */
  put(principal: Principal, entityName: string, digest: string, body: Readable): Promise<{ size: number }>;
  get(principal: Principal, entityName: string, digest: string): Promise<{ size: number; body: Readable } | undefined>;
  /** What all of an entity take together. */
  bytes(principal: Principal, entityName: string): Promise<number>;
}

const DIGEST = /^sha256:([0-9a-f]{64})$/;

export function createCodeArchivesService(context: ServiceContext): CodeArchivesService {
  const { database, files, clock, limits } = context;
  const { kysely } = database;
  return {
    async has(principal, entityName, digest) {
      const entity = await visibleEntity(kysely, principal, entityName);
      return (await findCodeArchive(kysely, entity.id, digest)) !== undefined;
    },

    async put(principal, entityName, digest, body) {
      const entity = await visibleEntity(kysely, principal, entityName);
      requireRole(principal, entity, "MEMBER", "store code");
      const wanted = hexOf(digest);
      const { size } = await files
        .put(pathOf(entity.id, wanted), body, {
          limit: limits.codeArchiveBytes,
          check(sha256) {
            if (sha256 !== wanted)
              throw new SlipwayError("CODE_DIGEST_MISMATCH", { values: { digest, actual: `sha256:${sha256}` } });
          },
        })
        .catch((error: unknown) => {
          if (!(error instanceof FileTooLarge)) throw error;
          throw new SlipwayError("CODE_ARCHIVE_TOO_LARGE", {
            values: { limit: Math.floor(limits.codeArchiveBytes / 1024 ** 2) },
          });
        });
      await insertCodeArchive(kysely, { entityId: entity.id, digest, size, createdAt: clock.now() });
      return { size };
    },

    async get(principal, entityName, digest) {
      const entity = await visibleEntity(kysely, principal, entityName);
      const found = await findCodeArchive(kysely, entity.id, digest);
      return found && { size: found.size, body: files.stream(pathOf(entity.id, hexOf(digest))) };
    },

    async bytes(principal, entityName) {
      return codeArchiveBytes(kysely, (await visibleEntity(kysely, principal, entityName)).id);
    },
  };
}

/** Each entity has its own copy: whoever may not see it must not learn, by storing it, that it is there. */
function pathOf(entityId: string, hex: string): string {
  return `code/${entityId}/${hex.slice(0, 2)}/${hex}.tar.gz`;
}

function hexOf(digest: string): string {
  const hex = DIGEST.exec(digest)?.[1];
  if (hex !== undefined) return hex;
  const problem = `a code archive's digest is sha256: and 64 hexadecimal digits, not ${JSON.stringify(digest)}`;
  throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "digest" });
}
