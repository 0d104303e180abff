import { ItemLogsDocument, type ItemLogsQuery, ItemLogTailDocument } from "../client/generated/operations.ts";
import { follow, phasePrinter, printLine, showItem } from "./follow.ts";
import type { Session } from "./session.ts";

interface Line {
  readonly node: string;
  readonly attempt: number;
  readonly at: string;
  readonly text: string;
}

const PAGE = 1_000;

export async function printLogs(
  session: Session,
  id: string,
  options: { follow?: boolean; node?: string; tail?: number; json?: boolean },
): Promise<void> {
  const item = await showItem(session.client, id);
  const print = (line: Line) => {
    if (options.node !== undefined && line.node !== options.node) return;
    if (options.json)
      console.log(JSON.stringify({ node: line.node, attempt: line.attempt, at: line.at, text: line.text }));
    else printLine(line);
  };
  if (options.follow) {
    await follow(session.client, item.id, options.json ? { line: print } : { line: print, entry: phasePrinter() });
    return;
  }
  if (options.tail !== undefined) {
    const variables = {
      id: item.id,
      last: options.tail,
      ...(options.node === undefined ? {} : { node: options.node }),
    };
    const { runQueueItem } = await session.client.request(ItemLogTailDocument, variables);
    for (const line of runQueueItem?.logTail.lines ?? []) print(line);
    return;
  }
  for (let after: number | null = null; ; ) {
    const answer: ItemLogsQuery = await session.client.request(ItemLogsDocument, { id: item.id, after, first: PAGE });
    const page = answer.runQueueItem?.logs;
    if (page == null || page.lines.length === 0) return;
    for (const line of page.lines) print(line);
    after = page.next;
  }
}
