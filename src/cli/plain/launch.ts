import { randomBytes } from "node:crypto";
import colors from "picocolors";
import { PlainItemDocument, PlainPushDocument, PlainRunDocument } from "../../client/generated/operations.ts";
import { systemClock } from "../../core/clock.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../core/items/run-spec.ts";
import { QUEUE_PROJECT } from "../../core/protocol.ts";
import { mintRunId, RUN_ID_BYTES } from "../../core/runs/run-id.ts";
import type { Session } from "../session.ts";

export interface PlainPush {
  readonly entity: string;
  readonly queue: string;
  readonly runSpec: RunSpec;
  readonly priority?: number;
  /** JSON of template values by name. */
  readonly templateVariableValues?: string;
}

/** How often the item and its run are asked for. */
const POLL_MS = 3_000;
const ITEM_ENDS = ["FINISHED", "FAILED", "STOPPED"];
/** As a run's state ends the item there; the wandb client itself waits for these (wandb/apis/public/jobs.py). */
const RUN_ENDS: Readonly<Record<string, string>> = {
  finished: "FINISHED",
  failed: "FAILED",
  crashed: "FAILED",
  killed: "STOPPED",
};

/** Pushes to a server of the wandb client's protocol, which says no more than the item's id; the run's id is given with the push. */
export async function launchPlain(
  session: Session,
  { entity, queue, runSpec, ...rest }: PlainPush,
  options: { readonly follow?: boolean | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const runId = runSpec.run_id ?? mintRunId(randomBytes(RUN_ID_BYTES));
  const { pushToRunQueueByName: pushed } = await session.client.request(PlainPushDocument, {
    input: {
      entityName: entity,
      projectName: QUEUE_PROJECT,
      queueName: queue,
      runSpec: JSON.stringify({ docker: {}, git: {}, ...runSpec, run_id: runId }),
      ...rest,
    },
  });
  if (pushed === null) throw new SlipwayError("QUEUE_NOT_FOUND", { values: { name: queue, entity }, where: "--queue" });
  const id = pushed.runQueueItemId;
  const item = { id, runId, state: "PENDING", entityName: entity, projectName: runSpec.project, queue };
  if (!options.json) console.error(`${colors.green("pushed")} ${runId} to ${entity}/${queue}, item ${id}`);
  if (!options.follow) {
    if (options.json) console.log(JSON.stringify(item));
    return;
  }
  const state = await followPlain(session, item, (now) => {
    if (options.json) console.log(JSON.stringify({ type: "state", state: now }));
    else console.error(`${colors.dim(new Date().toISOString().slice(11, 23))} ${colors.cyan(now)}`);
  });
  if (options.json) console.log(JSON.stringify({ type: "item", ...item, state }));
  process.exitCode = state === "FINISHED" ? 0 : state === "STOPPED" ? 130 : 1;
}

/** Waits for the end of an item: its own word for it, or that of its run. Gives FINISHED, FAILED or STOPPED. */
async function followPlain(
  session: Session,
  item: { readonly id: string; readonly entityName: string; readonly projectName: string; readonly queue: string },
  told: (state: string) => void,
): Promise<string> {
  const { request } = session.client;
  for (let before = ""; ; ) {
    const { project } = await request(PlainItemDocument, {
      entity: item.entityName,
      project: QUEUE_PROJECT,
      queue: item.queue,
      item: item.id,
    });
    const found = project?.runQueue?.runQueueItem;
    if (found == null) throw new SlipwayError("ITEM_NOT_FOUND", { values: { item: item.id } });
    let state: string = found.state;
    if (found.associatedRunId != null && !ITEM_ENDS.includes(state)) {
      const where = { entity: item.entityName, project: item.projectName, run: found.associatedRunId };
      const answer = await request(PlainRunDocument, where);
      state = RUN_ENDS[answer.project?.run?.state ?? ""] ?? state;
    }
    if (state !== before) told(state);
    before = state;
    if (ITEM_ENDS.includes(state)) return state;
    await systemClock.sleep(POLL_MS);
  }
}
