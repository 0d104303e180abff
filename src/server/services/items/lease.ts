import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../../core/items/run-spec.ts";
import { isSchedulerSpec } from "../../../core/sweeps/launch-scheduler.ts";
import { findAgent, touchAgent } from "../../../store/agents.ts";
import { insertApiKey, mintApiKey } from "../../../store/api-keys.ts";
import { claimItems, nextClaimableAt } from "../../../store/claim.ts";
import type { Tx } from "../../../store/database.ts";
import { changeItem, extendLease } from "../../../store/items.ts";
import { logCursors } from "../../../store/log-chunks.ts";
import type { AgentRecord, ItemRecord } from "../../../store/records.ts";
import { requireRole } from "../authorize.ts";
import type { ServiceContext } from "../context.ts";
import { queueNamed } from "../entity-lookup.ts";
import type { ItemsService, Lease, LeaseRef, RenewedLease } from "../items.ts";
import type { Principal } from "../principal.ts";
import { takeScheduler } from "../sweeps/schedule.ts";
import { waitForWake } from "../wait-for-wake.ts";
import { LET_GO, stopIfAsked, visibleAgent } from "./shared.ts";

const MAX_WAIT_SECONDS = 25;

/** Step 2 of the way of one job: the agent waits here, and a push wakes it. */
export async function lease(
  context: ServiceContext,
  principal: Principal,
  input: Parameters<ItemsService["lease"]>[1],
): Promise<{ leases: readonly Lease[]; stopPolling: boolean }> {
  const { database, clock } = context;
  const { kysely } = database;
  const agent = await agentThatMayTake(context, principal, input.launchAgentId);
  if (!Number.isInteger(input.max) || input.max < 1)
    throw new SlipwayError("INPUT_INVALID", { values: { problem: "max must be 1 or more" }, where: "max" });
  const until = clock.now() + Math.min(Math.max(input.waitSeconds, 0), MAX_WAIT_SECONDS) * 1000;
  await touchAgent(kysely, agent.id, clock.now());
  const topics = new Set([...agent.queueIds.map((id) => `queue:${id}`), `agent:${agent.id}`]);
  return waitForWake(context, {
    until,
    signal: input.signal,
    concerns: (topic) => topics.has(topic),
    nextAt: async () => nextClaimableAt(kysely, agent.queueIds),
    async look() {
      // Gone while it waited: nobody would read the answer, so nothing may be taken for it.
      if (input.signal?.aborted) return { leases: [], stopPolling: false };
      const now = await findAgent(kysely, agent.id);
      if (!now || now.stopPolling) return { leases: [], stopPolling: true };
      const leases = await take(context, principal, now, input.max);
      return leases.length > 0 ? { leases, stopPolling: false } : undefined;
    },
    nothing: { leases: [], stopPolling: false },
  });
}

async function agentThatMayTake(context: ServiceContext, principal: Principal, id: string): Promise<AgentRecord> {
  const agent = await visibleAgent(context.database.kysely, principal, id);
  requireRole(principal, { id: agent.entityId, name: agent.entityName }, "MEMBER", "run agents");
  return agent;
}

function take(
  context: ServiceContext,
  principal: Principal,
  agent: AgentRecord,
  max: number,
): Promise<readonly Lease[]> {
  return context.database.transaction(context.clock, async (tx) => {
    const leases: Lease[] = [];
    while (leases.length < max) {
      const items = await claimItems(tx, agent.queueIds, max - leases.length, {
        agentId: agent.id,
        actor: `agent:${agent.name}`,
        plain: false,
        leaseExpiresAt: tx.now + context.limits.leaseMs,
      });
      if (items.length === 0) break;
      for (const item of items) {
        const adopted = item.state === "CLAIMED";
        // An agent that leases has no program of the wandb client to run: the server schedules the sweep, and the agent gets its runs.
        if (!adopted && isSchedulerSpec(item.runSpec)) await takeScheduler(tx, item);
        else
          leases.push({
            item,
            runSpec: adopted ? item.runSpec : await withOwnKey(context, tx, principal, item),
            logCursors: adopted ? await logCursors(tx.kysely, item.id, item.attempt) : [],
          });
      }
    }
    return leases;
  });
}

/**
 * A job never gets a person's key: it gets one of its own, which is good for its one run and is gone when the item has
 * settled. Each lease makes another, since only the hash is kept; the job of a lost lease may be running with the earlier one.
 */
async function withOwnKey(context: ServiceContext, tx: Tx, principal: Principal, item: ItemRecord): Promise<RunSpec> {
  const key = mintApiKey(context.random);
  const author = await tx.kysely
    .selectFrom("items as i")
    .innerJoin("users as u", "u.id", "i.authorUserId")
    .select("u.id")
    .where("i.id", "=", item.id)
    .where("u.deletedAt", "is", null)
    .executeTakeFirst();
  await insertApiKey(tx.kysely, {
    id: context.newId(),
    userId: author?.id ?? principal.userId,
    key,
    description: `job ${item.runId}`,
    now: tx.now,
    run: { itemId: item.id, entityId: item.entityId, projectName: item.projectName, runName: item.runId },
  });
  return { ...item.runSpec, _wandb_api_key: key } as RunSpec;
}

/** The plain protocol's way to an item: at once or not at all, and not for long unless it is acknowledged. */
export async function pop(
  context: ServiceContext,
  principal: Principal,
  input: Parameters<ItemsService["pop"]>[1],
): Promise<{ item: ItemRecord; runSpec: RunSpec } | null> {
  const { database, clock } = context;
  const queue = await queueNamed(database.kysely, principal, input.entityName, input.queueName);
  requireRole(principal, { id: queue.entityId, name: queue.entityName }, "MEMBER", "take items of its queues");
  const agent = input.launchAgentId ? await visibleAgent(database.kysely, principal, input.launchAgentId) : undefined;
  return database.transaction(clock, async (tx) => {
    if (agent) await touchAgent(tx.kysely, agent.id, tx.now);
    const [item] = await claimItems(tx, [queue.id], 1, {
      agentId: agent?.id ?? null,
      actor: `agent:${agent?.name ?? "unnamed"}`,
      plain: true,
      leaseExpiresAt: tx.now + context.limits.acknowledgeMs,
    });
    if (!item) return null;
    // A sweep's scheduler runs on the agent's host with the agent's own key: it pushes and stops what is not its own.
    if (isSchedulerSpec(item.runSpec)) return { item, runSpec: item.runSpec };
    return { item, runSpec: await withOwnKey(context, tx, principal, item) };
  });
}

/** All of an agent's leases in one call and one transaction; its heartbeat too. */
export async function renew(
  context: ServiceContext,
  principal: Principal,
  input: Parameters<ItemsService["renew"]>[1],
): Promise<{ leases: readonly RenewedLease[]; stopPolling: boolean }> {
  const { database, clock, limits } = context;
  const agent = await agentThatMayTake(context, principal, input.launchAgentId);
  return database.transaction(clock, async (tx) => {
    await touchAgent(tx.kysely, agent.id, tx.now, input.agentStatus ?? undefined);
    const leases: RenewedLease[] = [];
    // In one order for all, so that two calls can't wait for each other.
    for (const lease of [...input.leases].sort((a, b) => (a.itemId < b.itemId ? -1 : 1))) {
      const guard = { id: lease.itemId, agentId: agent.id, attempt: lease.attempt, fencingToken: lease.fencingToken };
      const item = await extendLease(tx.kysely, guard, tx.now + limits.leaseMs);
      leases.push({
        itemId: lease.itemId,
        held: item !== undefined,
        expiresAt: item?.leaseExpiresAt ?? null,
        stopRequested: item !== undefined && item.stopRequestedAt !== null,
        stopRequestedBy: item?.stopRequestedBy ?? null,
      });
    }
    return { leases, stopPolling: agent.stopPolling };
  });
}

/** A clean shutdown. A lease that is not held any more is nothing to complain of here. */
export async function release(
  context: ServiceContext,
  principal: Principal,
  input: { readonly launchAgentId: string; readonly leases: readonly LeaseRef[] },
): Promise<void> {
  const { database, clock } = context;
  const agent = await agentThatMayTake(context, principal, input.launchAgentId);
  await database.transaction(clock, async (tx) => {
    for (const lease of [...input.leases].sort((a, b) => (a.itemId < b.itemId ? -1 : 1)))
      await letGo(
        tx,
        agent,
        { attempt: lease.attempt, fencingToken: lease.fencingToken, id: lease.itemId },
        "released",
      );
  });
}

/** LEASED goes back to the queue with its attempt; CLAIMED waits for an agent to adopt it. */
export async function letGo(
  tx: Tx,
  agent: { readonly id: string; readonly name: string },
  guard: { readonly id: string; readonly attempt?: number; readonly fencingToken?: number },
  kind: "released" | "lease_expired",
): Promise<void> {
  const entry = { kind, actor: kind === "released" ? `agent:${agent.name}` : "server" };
  const back = await changeItem(
    tx,
    { ...guard, agentId: agent.id, states: ["LEASED"] },
    { ...LET_GO, state: "PENDING", phase: "queued" },
    entry,
  );
  if (back) {
    await stopIfAsked(tx, back);
    return;
  }
  const orphan = await changeItem(
    tx,
    { ...guard, agentId: agent.id, states: ["CLAIMED"], plain: false },
    { ...LET_GO, leaseExpiresAt: tx.now },
    entry,
  );
  if (orphan) tx.wakeQueue(orphan.queueId);
}
