import { findAgent, markSilentAgents } from "../../store/agents.ts";
import { deleteEndedApiKeys } from "../../store/api-keys.ts";
import { deleteBlob, deleteManifests, unusedBlobs } from "../../store/artifact-content.ts";
import { abortedArtifacts, expiredArtifacts, markDeleted } from "../../store/artifacts.ts";
import { forgetEvents } from "../../store/events.ts";
import { itemsWithLeaseOver, plainItemsWithRuns } from "../../store/item-queries.ts";
import { changeItem } from "../../store/items.ts";
import type { ItemRecord } from "../../store/records.ts";
import { endSilentRun, silentRuns } from "../../store/runs.ts";
import { manifestFile } from "../services/artifacts/manifest.ts";
import type { ServiceContext } from "../services/context.ts";
import { concludePlain } from "../services/items/plain.ts";
import { LET_GO, stopIfAsked } from "../services/items/shared.ts";
import { scheduleSweeps } from "../services/sweeps/schedule.ts";

/** One round of everything that goes by time. Several server processes may sweep at once: each change is guarded. */
export async function sweepOnce(context: ServiceContext): Promise<void> {
  const { database, clock } = context;
  for (const item of await itemsWithLeaseOver(database.kysely, clock.now())) await expireLease(context, item);
  await concludePlainItems(context);
  await scheduleSweeps(context);
  await noticeSilentAgents(context);
  await endSilentRuns(context);
  await deleteEndedApiKeys(database.kysely, clock.now() - context.limits.jobKeyGraceMs);
  await expireArtifacts(context);
  await giveUpArtifacts(context);
  await forgetEvents(database.kysely, clock.now() - context.limits.eventRetentionMs);
}

/**
 * A lease has run out. LEASED goes back to the queue: nothing of it can be running that the next agent would not find by its
 * name. CLAIMED stays as it is, and any agent of the queue may adopt it.
 */
async function expireLease({ database, clock }: ServiceContext, item: ItemRecord): Promise<void> {
  await database.transaction(clock, async (tx) => {
    const agent = item.agentId === null ? undefined : await findAgent(tx.kysely, item.agentId);
    const message = `The lease of agent ${agent?.name ?? "unnamed"} has run out`;
    const guard = { id: item.id, fencingToken: item.fencingToken, leaseOverAt: tx.now };
    const entry = { kind: "lease_expired", actor: "server", message };
    const back = { ...LET_GO, state: "PENDING", phase: "queued" } as const;
    const pending = await changeItem(tx, { ...guard, states: ["LEASED"] }, back, entry);
    if (pending) {
      await stopIfAsked(tx, pending);
      return;
    }
    // The time its lease ran out is kept: it tells which orphan has waited longest.
    const orphan = { raiseToken: true, agentId: null };
    const left = await changeItem(tx, { ...guard, states: ["CLAIMED"], plain: false }, orphan, entry);
    if (left) tx.wakeQueue(left.queueId);
  });
}

/** Plain agents never tell how a job ended: its run does, by its end or by its silence. */
async function concludePlainItems({ database, clock, limits }: ServiceContext): Promise<void> {
  for (const { item, run } of await plainItemsWithRuns(database.kysely)) {
    const end = plainEnd(item, run, clock.now(), limits);
    if (end) await database.transaction(clock, (tx) => concludePlain(tx, item, end));
  }
}

function plainEnd(
  item: ItemRecord,
  run: { state: string; exitCode: number | null; heartbeatAt: number | null } | null,
  now: number,
  limits: ServiceContext["limits"],
): { ok: boolean; message: string; lost?: boolean } | undefined {
  if (run?.state === "finished") return { ok: true, message: "The run has finished" };
  // Not crashed: that is what we make of a silence, and a run may speak again. Its item waits longer.
  if (run !== null && ["failed", "killed"].includes(run.state)) {
    const how = run.exitCode === null ? `is ${run.state}` : `ended with exit code ${run.exitCode}`;
    return { ok: false, message: `The run ${how}` };
  }
  if (run !== null && run.heartbeatAt !== null) {
    const silent = now - run.heartbeatAt;
    if (silent < limits.plainRunSilenceMs) return undefined;
    return { ok: false, lost: true, message: `The run was not heard of for ${Math.round(silent / 60_000)} minutes` };
  }
  const waited = now - (item.claimedAt ?? now);
  if (waited < limits.plainRunStartMs) return undefined;
  return { ok: false, lost: true, message: `The run did not begin within ${Math.round(waited / 60_000)} minutes` };
}

/** Versions whose time to live is over; what only they named goes with the contents that no version names. */
async function expireArtifacts({ database, clock, files }: ServiceContext): Promise<void> {
  const manifests = await database.transaction(clock, async (tx) => {
    const expired = await expiredArtifacts(tx.kysely, tx.now);
    return deleteManifests(tx.kysely, await markDeleted(tx.kysely, expired, tx.now, "COMMITTED"));
  });
  for (const id of manifests) await files.remove(manifestFile(id));
}

/** Artifacts whose upload was broken off, and content that no version names (any more). */
async function giveUpArtifacts({ database, clock, files, limits }: ServiceContext): Promise<void> {
  const before = clock.now() - limits.artifactPendingMs;
  const manifests = await database.transaction(clock, async (tx) => {
    const aborted = await abortedArtifacts(tx.kysely, before);
    // One that was committed since the look stays.
    return deleteManifests(tx.kysely, await markDeleted(tx.kysely, aborted, tx.now, "PENDING"));
  });
  for (const id of manifests) await files.remove(manifestFile(id));
  for (const blob of await unusedBlobs(database.kysely, before)) {
    // The row goes first: a content that comes again meanwhile gets a file of its own.
    if (await deleteBlob(database.kysely, blob)) await files.remove(blob.file);
  }
}

async function noticeSilentAgents({ database, clock, limits, logger }: ServiceContext): Promise<void> {
  await database.transaction(clock, async (tx) => {
    for (const agent of await markSilentAgents(tx.kysely, tx.now - limits.agentAliveMs)) {
      logger.warn({ agent: agent.name }, "an agent has fallen silent");
      tx.event({
        entityId: agent.entityId,
        kind: "agent",
        subject: agent.id,
        data: { name: agent.name, status: "SILENT" },
      });
    }
  });
}

/** Code that was killed says nothing: its silence tells. It runs again when it speaks again. */
async function endSilentRuns({ database, clock, limits }: ServiceContext): Promise<void> {
  const before = clock.now() - limits.runSilenceMs;
  for (const run of await silentRuns(database.kysely, before)) {
    const state = run.preempting === 1 ? "preempted" : "crashed";
    await database.transaction(clock, async (tx) => {
      if (!(await endSilentRun(tx.kysely, run.id, before, state))) return;
      const data = { name: run.name, project: run.projectName, state };
      tx.event({ entityId: run.entityId, kind: "run", subject: run.id, data });
    });
  }
}
