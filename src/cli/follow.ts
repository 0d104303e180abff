import colors from "picocolors";
import type { Client } from "../client/client.ts";
import {
  ItemDocument,
  ItemLogsDocument,
  type ItemQuery,
  ItemTimelineDocument,
} from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { duration } from "./output/time.ts";
import type { Session } from "./session.ts";

export type ShownItem = NonNullable<ItemQuery["runQueueItem"]>;

const SETTLED = ["FINISHED", "FAILED", "STOPPED"];
const PAGE = 1_000;

/** What a follower wants to hear, in order of happening. */
export interface FollowHandlers {
  entry?(entry: { at: string; phase: string | null; message: string | null; kind: string; attempt: number }): void;
  line?(line: { node: string; attempt: number; at: string; text: string }): void;
}

/**
 * Follows an item to its end: every timeline entry and log line so far, then each as it comes (live events only say that there
 * is more; what is shown is always read from the item itself). Gives the settled item.
 */
export async function follow(client: Client, id: string, handlers: FollowHandlers): Promise<ShownItem> {
  const stop = new AbortController();
  let timelineAfter = 0;
  let logsAfter = -1;
  const catchUp = async (): Promise<boolean> => {
    const { runQueueItem } = await client.request(ItemTimelineDocument, { id, after: timelineAfter, first: PAGE });
    for (const entry of runQueueItem?.timeline ?? []) {
      timelineAfter = Number(entry.seq);
      handlers.entry?.({ ...entry, phase: entry.phase ?? null, message: entry.message ?? null });
    }
    for (;;) {
      const after = logsAfter < 0 ? null : logsAfter;
      const answer = await client.request(ItemLogsDocument, { id, after, first: PAGE });
      const page = answer.runQueueItem?.logs;
      if (page == null) return true;
      for (const line of page.lines) handlers.line?.(line);
      if (page.lines.length > 0) logsAfter = page.next;
      if (page.lines.length < PAGE) return page.complete;
    }
  };
  try {
    if (!(await catchUp())) {
      for await (const _ of client.events({ item: id, after: "0", signal: stop.signal })) if (await catchUp()) break;
    }
  } finally {
    stop.abort();
  }
  return showItem(client, id);
}

/** The item with its details. @throws ITEM_NOT_FOUND */
export async function showItem(client: Client, id: string): Promise<ShownItem> {
  const { runQueueItem } = await client.request(ItemDocument, { id });
  if (runQueueItem == null) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: id } });
  return runQueueItem;
}

/** Follows an item on the terminal. Gives the exit code: the job's own; 1 if it failed without one; 130 if it was stopped. */
export async function followItem(session: Session, id: string, { json }: { json: boolean }): Promise<number> {
  const item = await follow(
    session.client,
    id,
    json
      ? {
          entry: (entry) => console.log(JSON.stringify({ type: "timeline", ...entry })),
          line: (line) => console.log(JSON.stringify({ type: "log", ...line })),
        }
      : { entry: phasePrinter(), line: printLine },
  );
  if (json) console.log(JSON.stringify({ type: "item", ...item }));
  else printEnd(item);
  return exitCodeOf(item);
}

/** Prints timeline entries (to stderr, so that the log alone can be piped) with the time that each phase took. */
export function phasePrinter(): NonNullable<FollowHandlers["entry"]> {
  let phase = "";
  let since = 0;
  return (entry) => {
    const at = Date.parse(entry.at);
    let took = "";
    if (entry.phase !== null && entry.phase !== phase) {
      if (phase !== "") took = colors.dim(` (${phase} took ${duration(Math.max(0, at - since))})`);
      phase = entry.phase;
      since = at;
    }
    const text = entry.message ?? entry.kind;
    console.error(
      `${colors.dim(entry.at.slice(11, 23))} ${colors.cyan((entry.phase ?? entry.kind).padEnd(11))} ${text}${took}`,
    );
  };
}

export function printLine(line: { readonly node: string; readonly text: string }): void {
  console.log(`${colors.dim(`${line.node} |`)} ${line.text}`);
}

/** 0 for FINISHED; for FAILED the training code's own exit code where there is one, else 1; 130 for STOPPED. */
export function exitCodeOf(item: ShownItem): number {
  if (item.state === "FINISHED") return 0;
  if (item.state === "STOPPED") return 130;
  return item.training?.exitCode || 1;
}

function printEnd(item: ShownItem): void {
  const paint = item.state === "FINISHED" ? colors.green : item.state === "STOPPED" ? colors.yellow : colors.red;
  console.error(`\n${paint(item.state.toLowerCase())} ${item.explanation.summary}`);
  if (item.explanation.next) console.error(`${colors.dim("next")} ${item.explanation.next}`);
  if (item.training?.modelArtifacts && item.state === "FINISHED")
    console.error(`${colors.dim("model")} ${item.training.modelArtifacts}`);
}

/** Whether the item has come to an end. */
export function isSettled(state: string): boolean {
  return SETTLED.includes(state);
}
