import { isSettled } from "../../../core/items/item-states.ts";
import { valueOfKey } from "../../../core/runs/history-keys.ts";
import { advance, comparable, fallsBehind, type Hyperband, type Progress } from "../../../core/sweeps/hyperband.ts";
import { parseSweepConfig } from "../../../core/sweeps/sweep-config.ts";
import type { Tx } from "../../../store/database.ts";
import { findItem } from "../../../store/item-queries.ts";
import type { RunRecord } from "../../../store/records.ts";
import { findRunById, updateRun } from "../../../store/runs.ts";
import {
  findSweepRun,
  markStoppedEarly,
  noteProgress,
  rungsOf,
  type SweepRunRecord,
  standingAt,
} from "../../../store/sweep-rungs.ts";
import { findSweep } from "../../../store/sweeps.ts";
import type { ServiceContext } from "../context.ts";
import { stopInside } from "../items/stop.ts";
import { readRunLines, rowOf } from "../runs/lines.ts";

interface Rule extends Hyperband {
  readonly metric: { readonly name: string; readonly goal: "minimize" | "maximize" };
}

/**
 * New history of a run has come in: if its sweep stops runs early, it is compared with the others at the rungs it has come to,
 * and stopped if it has fallen behind. Answers whether it was stopped now. Only what is new of the history is read.
 */
export async function stopEarly(context: ServiceContext, run: RunRecord): Promise<boolean> {
  const { database, clock } = context;
  const rule = run.sweepName === null ? undefined : await ruleOf(context, run.sweepName);
  if (!rule) return false;
  const before = await findSweepRun(database.kysely, run.id);
  const now = await findRunById(database.kysely, run.id);
  if (!before || !now || now.stopped || before.stoppedEarly === 1) return false;
  const step = await read(context, rule, before, now.historyLines);
  return database.transaction(clock, async (tx) => {
    if (!(await noteProgress(tx.kysely, before, step.progress, step.reached))) return false;
    // One message may take it over several rungs: the last of them says how it stands.
    const rungs = rule.strict ? await rungsOf(tx.kysely, run.id) : step.reached.slice(-1);
    for (const { rung, value } of rungs) {
      const standing = await standingAt(tx.kysely, { sweepId: before.sweepId, rung, value });
      if (!fallsBehind(standing, rule.eta)) continue;
      return stop(tx, now);
    }
    return false;
  });
}

async function ruleOf({ database }: ServiceContext, id: string): Promise<Rule | undefined> {
  const sweep = await findSweep(database.kysely, { id });
  // Most sweeps have none, and their configs need not be read for each message.
  if (!sweep?.config.includes("early_terminate")) return undefined;
  const { earlyStop, metric } = parseSweepConfig(sweep.config);
  return earlyStop && metric ? { ...earlyStop, metric } : undefined;
}

async function read(context: ServiceContext, rule: Rule, before: SweepRunRecord, lines: number) {
  const fromLine = before.seenLines <= lines ? before.seenLines : 0;
  const start = fromLine === 0 ? { logged: 0, best: null } : { logged: before.logged, best: before.best };
  const seenStep = fromLine === 0 ? null : before.seenStep;
  const once = await readFrom(context, rule, { runId: before.runId, fromLine, start, seenStep });
  if (once) return once;
  // The code began anew: what was counted is not in its history any more.
  const anew = await readFrom(context, rule, { runId: before.runId, fromLine: 0, start: FRESH, seenStep: null });
  if (!anew) throw new Error("a history that was read from its begin has begun before it");
  return anew;
}

const FRESH: Progress = { logged: 0, best: null };

async function readFrom(
  context: ServiceContext,
  rule: Rule,
  from: { runId: string; fromLine: number; start: Progress; seenStep: number | null },
) {
  const { runId, fromLine } = from;
  let { start: progress, seenStep } = from;
  let seenLines = fromLine;
  const reached: { rung: number; value: number }[] = [];
  for await (const lines of readRunLines(context, { runId, stream: "history", fromLine })) {
    const rows = lines.map(({ text }) => rowOf(text));
    for (const { _step: at } of rows) {
      if (typeof at !== "number") continue;
      if (seenStep !== null && at <= seenStep && fromLine > 0) return undefined;
      seenStep = at;
    }
    const values = rows.flatMap((row) => {
      const value = valueOfKey(row, rule.metric.name);
      return value === undefined ? [] : [comparable(value, rule.metric.goal)];
    });
    const step = advance(progress, values, rule);
    progress = step.progress;
    reached.push(...step.reached);
    seenLines = (lines.at(-1)?.number ?? seenLines - 1) + 1;
  }
  return { progress: { ...progress, seenLines, seenStep }, reached };
}

async function stop(tx: Tx, run: RunRecord): Promise<boolean> {
  if (!(await markStoppedEarly(tx.kysely, run.id))) return false;
  await updateRun(tx.kysely, run.id, { stopped: 1 });
  const item = run.itemId === null ? undefined : await findItem(tx.kysely, run.itemId);
  if (item && !isSettled(item.state)) await stopInside(tx, item.id, "early_terminate", "server");
  return true;
}
