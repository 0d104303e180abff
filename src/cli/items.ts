import colors from "picocolors";
import {
  ItemsDocument,
  ItemTimelineDocument,
  RetryItemDocument,
  StopItemDocument,
} from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { ITEM_STATES, type ItemState } from "../core/items/item-states.ts";
import { nearest } from "../core/nearest.ts";
import { followItem, isSettled, showItem } from "./follow.ts";
import { printTable } from "./output/table.ts";
import { ago, duration } from "./output/time.ts";
import { listPlainItems, printPlainItem } from "./plain/items.ts";
import type { Session } from "./session.ts";

interface ListOptions {
  readonly queue?: string;
  readonly state?: string;
  readonly limit: number;
  readonly json: boolean;
}

export async function listItems(session: Session, options: ListOptions): Promise<void> {
  const { queue, limit } = options;
  const states = options.state === undefined ? undefined : parseStates(options.state);
  if (await session.plain()) return listPlainItems(session, { queue, states, limit, json: options.json });
  const { runQueueItems } = await session.client.request(ItemsDocument, {
    entityName: await session.entity(),
    first: limit,
    ...(queue === undefined ? {} : { queueName: queue }),
    ...(states === undefined ? {} : { states }),
  });
  const items = runQueueItems.edges.map((edge) => edge.node);
  if (options.json) return console.log(JSON.stringify(items));
  if (items.length === 0) return console.log("No items. Push one: slipway launch DIRECTORY -q QUEUE");
  const now = Date.now();
  printTable(
    ["run", "state", "phase", "queue", "name", "by", "attempt", "age", "took"],
    items.map((item) => [
      item.runId,
      paintState(item.state),
      item.waitingReason ? `${item.phase}: ${item.waitingReason}` : item.phase,
      item.queue.name,
      item.name ?? "-",
      item.author ?? "-",
      item.attempt,
      ago(item.createdAt, now),
      item.settledAt ? duration(Date.parse(item.settledAt) - Date.parse(item.createdAt)) : "-",
    ]),
  );
}

export async function printItem(session: Session, id: string, json: boolean): Promise<void> {
  if (await session.plain()) return printPlainItem(session, id, json);
  const item = await showItem(session.client, id);
  const { runQueueItem } = await session.client.request(ItemTimelineDocument, { id: item.id, first: 1_000 });
  const timeline = runQueueItem?.timeline ?? [];
  if (json) return console.log(JSON.stringify({ ...item, timeline }));
  console.log(
    `${paintState(item.state)} ${colors.bold(item.runId)}  ${item.name ?? ""}  ${item.queue.entityName}/${item.queue.name}  by ${item.author ?? "-"}  attempt ${item.attempt}`,
  );
  console.log(item.explanation.summary);
  if (item.explanation.next) console.log(`${colors.dim("next")} ${item.explanation.next}`);
  if (item.error?.code) console.log(`${colors.dim("code")} ${item.error.code}`);
  const { training } = item;
  if (training) {
    const facts = [
      training.name,
      training.status,
      training.secondaryStatus,
      training.billableSeconds == null ? null : `${training.billableSeconds} s billable`,
    ];
    console.log(`${colors.dim("training job")} ${facts.filter(Boolean).join("  ")}`);
    if (training.failureReason) console.log(`${colors.dim("failure reason")} ${training.failureReason}`);
    if (training.modelArtifacts && item.state === "FINISHED")
      console.log(`${colors.dim("model")} ${training.modelArtifacts}`);
    if (training.finalMetrics) console.log(`${colors.dim("metrics")} ${JSON.stringify(training.finalMetrics)}`);
  }
  for (const warning of item.warnings) console.log(`${colors.yellow("warning")} ${warning}`);
  console.log("");
  for (const entry of timeline) {
    console.log(
      `${colors.dim(entry.at.slice(0, 23).replace("T", " "))}  ${(entry.phase ?? entry.kind).padEnd(12)} ${entry.message ?? entry.kind}${entry.actor ? colors.dim(`  ${entry.actor}`) : ""}`,
    );
  }
  console.log(colors.dim(`\nslipway logs ${item.runId}${isSettled(item.state) ? "" : " -f"}`));
}

export async function stopItem(session: Session, id: string, json: boolean): Promise<void> {
  const item = await showItem(session.client, id);
  const { stopRunQueueItem } = await session.client.request(StopItemDocument, { id: item.id });
  if (json) return console.log(JSON.stringify(stopRunQueueItem.runQueueItem));
  const stopped = isSettled(stopRunQueueItem.runQueueItem.state);
  console.log(
    stopped
      ? `${colors.green("stopped")} ${item.runId}`
      : `${colors.green("asked")} ${item.runId} to stop; its agent will call StopTrainingJob`,
  );
}

export async function retryItem(
  session: Session,
  id: string,
  options: { json: boolean; follow: boolean },
): Promise<void> {
  const item = await showItem(session.client, id);
  const { retryRunQueueItem } = await session.client.request(RetryItemDocument, { id: item.id });
  const again = retryRunQueueItem.runQueueItem;
  if (again == null) throw new Error("the server gave no item for the retry");
  if (options.follow) {
    process.exitCode = await followItem(session, again.id, options);
    return;
  }
  if (options.json) return console.log(JSON.stringify(again));
  console.log(`${colors.green("pushed")} ${again.runId}, a retry of ${item.runId}`);
}

function parseStates(text: string): ItemState[] {
  return text.split(",").map((word) => {
    const state = ITEM_STATES.find((one) => one === word.trim().toUpperCase());
    if (state !== undefined) return state;
    const near = nearest(word, ITEM_STATES);
    const problem = `--state knows ${ITEM_STATES.join(", ")}; not "${word}"${near ? ` (did you mean ${near}?)` : ""}`;
    throw new SlipwayError("USAGE", { values: { problem }, where: "--state" });
  });
}

function paintState(state: ItemState): string {
  if (state === "FINISHED") return colors.green(state);
  if (state === "FAILED") return colors.red(state);
  return state === "STOPPED" ? colors.yellow(state) : colors.cyan(state);
}
