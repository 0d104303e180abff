import colors from "picocolors";
import { PlainItemsDocument, type PlainItemsQuery } from "../../client/generated/operations.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { QUEUE_PROJECT } from "../../core/protocol.ts";
import { printTable } from "../output/table.ts";
import type { Session } from "../session.ts";
import { plainQueues } from "./queues.ts";

/** What a server of the wandb client's protocol says of an item. */
interface PlainItem {
  readonly id: string;
  readonly queue: string;
  readonly state: string;
  readonly runId: string | null;
}

export async function listPlainItems(
  session: Session,
  options: {
    readonly queue?: string | undefined;
    readonly states?: readonly string[] | undefined;
    readonly limit: number;
    readonly json: boolean;
  },
): Promise<void> {
  const all = await itemsOf(session, options.queue);
  const items = all.filter(({ state }) => options.states?.includes(state) ?? true).slice(0, options.limit);
  if (options.json) return console.log(JSON.stringify(items));
  if (items.length === 0) return console.log("No items. Push one: slipway launch DIRECTORY -q QUEUE");
  printTable(
    ["item", "state", "queue", "run"],
    items.map(({ id, state, queue, runId }) => [id, state, queue, runId ?? "-"]),
  );
}

/** Finds an item by its id or its run's. Throws ITEM_NOT_FOUND. */
export async function printPlainItem(session: Session, name: string, json: boolean): Promise<void> {
  const item = (await itemsOf(session, undefined)).find(({ id, runId }) => id === name || runId === name);
  if (item === undefined) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: name } });
  if (json) return console.log(JSON.stringify(item));
  console.log(`${item.state} ${colors.bold(item.runId ?? item.id)}  ${item.queue}`);
}

async function itemsOf(session: Session, queue: string | undefined): Promise<PlainItem[]> {
  const entity = await session.entity();
  const queues = queue === undefined ? (await plainQueues(session)).map(({ name }) => name) : [queue];
  const items: PlainItem[] = [];
  for (const name of queues) {
    const variables = { entity, project: QUEUE_PROJECT, queue: name };
    const { project }: PlainItemsQuery = await session.client.request(PlainItemsDocument, variables);
    if (project?.runQueue == null) throw new SlipwayError("QUEUE_NOT_FOUND", { values: { name, entity } });
    for (const { node } of project.runQueue.runQueueItems.edges)
      items.push({ id: node.id, queue: name, state: node.state, runId: node.associatedRunId });
  }
  return items;
}
