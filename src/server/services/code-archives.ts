import type { Readable } from "node:stream";
import type { Principal } from "./principal.ts";

/** Directories of code, packed by clients and kept under their digest. */
export interface CodeArchivesService {
  /** Is it there already? Clients ask before they send. */
  has(principal: Principal, entityName: string, digest: string): Promise<boolean>;
  /** CODE_DIGEST_MISMATCH if the content is another's; CODE_ARCHIVE_TOO_LARGE beyond the limit. Storing it twice is fine. */
  put(principal: Principal, entityName: string, digest: string, body: Readable): Promise<{ size: number }>;
  get(principal: Principal, entityName: string, digest: string): Promise<{ size: number; body: Readable } | undefined>;
}
