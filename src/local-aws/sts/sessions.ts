import type { Database } from "libsql";
import type { Clock } from "../../core/clock.ts";
import type { NamedDocument } from "../iam/caller.ts";
import { accessKeyId, secretAccessKey, sessionToken } from "../iam/ids.ts";
import type { Role } from "../iam/roles.ts";
import type { User } from "../iam/users.ts";
import type { Principal } from "../service.ts";
import type { KnownKey } from "../sigv4/verify.ts";

/** Temporary credentials. Times are milliseconds since 1970. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAt: number;
  readonly arn: string;
  readonly userId: string;
}

interface SessionRow {
  readonly access_key_id: string;
  readonly secret: string;
  readonly token: string;
  readonly kind: "user" | "assumed-role";
  readonly name: string;
  readonly arn: string;
  readonly user_id: string;
  readonly expires_at: number;
}

/** What a session was given when it was made. */
export interface SessionExtras {
  /** Session policies: nothing is allowed that they do not allow. */
  readonly policies: readonly NamedDocument[];
  readonly tags: Readonly<Record<string, string>>;
}

const NO_EXTRAS: SessionExtras = { policies: [], tags: {} };

/** Ended sessions are remembered so long, so that their use is answered with "expired" and not with "unknown key". */
const REMEMBER_MS = 7 * 24 * 3600 * 1000;

export type SessionStore = ReturnType<typeof createSessionStore>;

/** The temporary credentials that STS has handed out. */
export function createSessionStore(db: Database, clock: Clock, accountId: string) {
  const issue = (
    kind: SessionRow["kind"],
    name: string,
    arn: string,
    userId: string,
    seconds: number,
    extras?: SessionExtras,
  ): Session => {
    const now = clock.now();
    const session: Session = {
      accessKeyId: accessKeyId("ASIA"),
      secretAccessKey: secretAccessKey(),
      sessionToken: sessionToken(),
      // AWS gives whole seconds; so do we, and never more time than was asked for.
      expiresAt: Math.floor((now + seconds * 1000) / 1000) * 1000,
      arn,
      userId,
    };
    db.transaction(() => {
      db.prepare("DELETE FROM sts_sessions WHERE expires_at < ?").run(now - REMEMBER_MS);
      db.prepare(
        `INSERT INTO sts_sessions (access_key_id, secret, token, kind, name, arn, user_id, created_at, expires_at, extras)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        session.accessKeyId,
        session.secretAccessKey,
        session.sessionToken,
        kind,
        name,
        arn,
        userId,
        now,
        session.expiresAt,
        extras === undefined ? null : JSON.stringify(extras),
      );
    })();
    return session;
  };

  const sessionOf = (role: Role, sessionName: string) => ({
    arn: `arn:aws:sts::${accountId}:assumed-role/${role.name}/${sessionName}`,
    userId: `${role.id}:${sessionName}`,
  });

  return {
    /** Credentials of a role for `seconds`; who may have them is for the caller to check. */
    issueForRole(role: Role, sessionName: string, seconds: number, extras?: SessionExtras): Session {
      const { arn, userId } = sessionOf(role, sessionName);
      return issue("assumed-role", role.name, arn, userId, seconds, extras);
    },
    /** Who a session of a role is, without credentials: for what AWS does in the role's name itself. */
    principalOf(role: Role, sessionName: string): Principal {
      return { type: "assumed-role", accountId, ...sessionOf(role, sessionName), accessKeyId: "", name: role.name };
    },
    /** Credentials that act as a user for `seconds`. */
    issueForUser: (user: User, seconds: number): Session => issue("user", user.name, user.arn, user.id, seconds),
    /** What limits and describes a session beside its role; undefined for credentials that are no session. */
    extras(id: string): (SessionExtras & { readonly createdAt: number }) | undefined {
      const row = db.prepare("SELECT created_at, extras FROM sts_sessions WHERE access_key_id = ?").get(id) as
        | { created_at: number; extras: string | null }
        | undefined;
      if (row === undefined) return undefined;
      const kept = row.extras === null ? NO_EXTRAS : (JSON.parse(row.extras) as SessionExtras);
      return { ...kept, createdAt: row.created_at };
    },
    /** What a signature check needs; ended sessions are given too, with their `expiresAt`. */
    knownKey(id: string): KnownKey | undefined {
      const row = db.prepare("SELECT * FROM sts_sessions WHERE access_key_id = ?").get(id) as SessionRow | undefined;
      if (row === undefined) return undefined;
      return {
        secretAccessKey: row.secret,
        sessionToken: row.token,
        principal: {
          type: row.kind,
          accountId,
          arn: row.arn,
          userId: row.user_id,
          accessKeyId: row.access_key_id,
          name: row.name,
          expiresAt: row.expires_at,
        },
      };
    },
  };
}
