import type { MemberRole } from "../../store/records.ts";

/** Who is calling: found from an API key by `accounts.authenticate`. */
export interface Principal {
  readonly userId: string;
  readonly username: string;
  /** The user's own entity; it bears the user's name. */
  readonly entityId: string;
  readonly entityName: string;
  /** May manage users and see every entity. */
  readonly admin: boolean;
  /** The key's own id. */
  readonly apiKeyId: string;
  /** Role by entity id; the user's own entity is in it as ADMIN. */
  readonly roles: ReadonlyMap<string, MemberRole>;
  /** Set for a key that was made for one job: good for that run alone. */
  readonly run: {
    readonly entityId: string;
    readonly projectName: string;
    readonly runName: string;
    /** The job's item has settled: the key is good for a while yet, for what the code sends last. */
    readonly ended?: boolean;
  } | null;
}
