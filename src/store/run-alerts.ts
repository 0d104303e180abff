import type { Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export interface RunAlertRecord {
  readonly id: string;
  readonly runId: string;
  /** Milliseconds. */
  readonly at: number;
  readonly title: string;
  readonly text: string;
  /** INFO, WARN or ERROR. */
  readonly severity: string;
}

export async function insertAlert(db: Kysely<Tables>, alert: RunAlertRecord): Promise<void> {
  await db.insertInto("runAlerts").values(alert).execute();
}

export async function hasAlertSince(
  db: Kysely<Tables>,
  of: { readonly runId: string; readonly title: string; readonly since: number },
): Promise<boolean> {
  const found = await db
    .selectFrom("runAlerts")
    .select("id")
    .where("runId", "=", of.runId)
    .where("title", "=", of.title)
    .where("at", ">", of.since)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/** Newest first, a hundred at most. */
export async function listAlerts(db: Kysely<Tables>, runId: string): Promise<readonly RunAlertRecord[]> {
  return db
    .selectFrom("runAlerts")
    .selectAll()
    .where("runId", "=", runId)
    .orderBy("at", "desc")
    .orderBy("id", "desc")
    .limit(100)
    .execute();
}
