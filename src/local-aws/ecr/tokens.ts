import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import type { Principal } from "../service.ts";
import type { RegistryScope } from "./names.ts";

/** ECR's tokens are good for 12 hours (ECR user guide, "Private registry authentication"). */
const LIFETIME_MS = 12 * 3_600_000;

/** What a password says about the one who uses it. */
export interface TokenClaims extends RegistryScope {
  /** The principal that asked for the token. */
  readonly principal: Principal;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface RegistryTokens {
  /** A password for user `AWS`, bound to the account, the region and the principal. */
  issue(scope: RegistryScope, principal: Principal): { readonly password: string; readonly expiresAt: number };
  /** Who the password belongs to; `expired` for one that was good once, undefined for a forged one. */
  verify(password: string): TokenClaims | "expired" | undefined;
  /** A right to read one blob of one repository, to stand in an address. */
  issueDownload(right: DownloadRight & { readonly lifetimeMs: number }): string;
  /** What the right is for; undefined when it is forged or over. */
  verifyDownload(ticket: string): DownloadRight | undefined;
}

export interface DownloadRight {
  readonly repositoryId: number;
  readonly digest: string;
}

/**
 * Passwords of the registry: claims signed with a secret of the data directory. They need no row, survive a restart, and are worthless in
 * another data directory.
 */
export function createRegistryTokens(db: Database, clock: Clock): RegistryTokens {
  db.prepare("INSERT INTO ecr_secrets (name, value) VALUES ('token', ?) ON CONFLICT DO NOTHING").run(
    randomBytes(32).toString("hex"),
  );
  const row = db.prepare("SELECT value FROM ecr_secrets WHERE name = 'token'").get() as { value: string };
  const secret = Buffer.from(row.value, "hex");
  const sign = (kind: string, payload: string) =>
    createHmac("sha256", secret).update(`${kind}:${payload}`).digest("base64url");
  const seal = (kind: string, value: object) => {
    const payload = Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${payload}.${sign(kind, payload)}`;
  };
  const unseal = (kind: string, text: string): unknown => {
    const [payload, signature, ...rest] = text.split(".");
    if (payload === undefined || signature === undefined || rest.length > 0) return undefined;
    const expected = Buffer.from(sign(kind, payload));
    const given = Buffer.from(signature);
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  };
  return {
    issue: ({ accountId, region }, principal) => {
      const claims: TokenClaims = { accountId, region, principal, expiresAt: clock.now() + LIFETIME_MS };
      return { password: seal("password", claims), expiresAt: claims.expiresAt };
    },
    verify: (password) => {
      const claims = unseal("password", password) as TokenClaims | undefined;
      if (claims === undefined) return undefined;
      return claims.expiresAt > clock.now() ? claims : "expired";
    },
    issueDownload: ({ repositoryId, digest, lifetimeMs }) =>
      seal("download", { repositoryId, digest, expiresAt: clock.now() + lifetimeMs }),
    verifyDownload: (ticket) => {
      const right = unseal("download", ticket) as (DownloadRight & { expiresAt: number }) | undefined;
      return right !== undefined && right.expiresAt > clock.now() ? right : undefined;
    },
  };
}
