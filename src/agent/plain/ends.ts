import {
  PlainFailDocument,
  PlainRunDocument,
  PlainUpsertRunDocument,
  type SettleRunQueueItemInput,
  type TypedDocumentString,
} from "../../client/generated/operations.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { RunSpec } from "../../core/items/run-spec.ts";
import type { HeldItem } from "../held-item.ts";
import type { PlainOptions } from "./control-plane.ts";
import type { PlainRecord } from "./records.ts";

type Call = <R, V>(document: TypedDocumentString<R, V>, variables: V) => Promise<R>;

export interface PlainEnds {
  /** Tells the server how an item has ended. An item that has ended for the server already is left as it is. */
  tell(
    held: HeldItem,
    record: PlainRecord,
    end: Omit<SettleRunQueueItemInput, "lease">,
    lastLines: readonly string[],
  ): Promise<void>;
}

/**
 * The plain protocol has a word for failures only (failRunQueueItem); a good end is concluded from the run. Code that
 * has no wandb in it never begins its run, so the agent ends that run in its place.
 */
export function createPlainEnds(options: PlainOptions, call: Call): PlainEnds {
  const { client, logger } = options;
  return {
    async tell(held, record, end, lastLines) {
      try {
        if (end.state === "FINISHED") await endRun(record);
        else await fail(held, end, lastLines);
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        logger.error({ item: held.id, err: error }, "the server refused the item's end");
      }
    },
  };

  async function fail(
    held: HeldItem,
    end: Omit<SettleRunQueueItemInput, "lease">,
    lastLines: readonly string[],
  ): Promise<void> {
    const said = [end.message ?? "The job has failed", ...(end.hint ? [end.hint] : [])].join(". ");
    const message = lastLines.length === 0 ? said : `${said}\nThe last lines of its log:\n${lastLines.join("\n")}`;
    const { failRunQueueItem } = await call(PlainFailDocument, { item: held.id, message, stage: end.stage ?? "run" });
    if (failRunQueueItem?.success !== true) logger.info({ item: held.id }, "the item had ended before");
  }

  async function endRun(record: PlainRecord): Promise<void> {
    const { entity, project } = record.runSpec as RunSpec;
    const run = { entity, project, run: record.runId };
    const { project: found } = await call(PlainRunDocument, run);
    const state = found?.run?.state ?? "pending";
    if (state !== "pending" && !(state === "running" && record.state === "ending")) return;
    options.records().put({ ...record, state: "ending" });
    await call(PlainUpsertRunDocument, run);
    const path = [entity, project, record.runId].map(encodeURIComponent).join("/");
    const response = await options.fetch(`${client.baseUrl}/files/${path}/file_stream`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Basic ${Buffer.from(`api:${options.apiKey}`).toString("base64")}`,
      },
      body: JSON.stringify({ complete: true, exitcode: 0 }),
      signal: AbortSignal.timeout(30_000),
    });
    await response.body?.cancel();
    // Passing trouble, as a failed fetch is: the watch begins again and comes back here.
    if (response.status >= 500) throw new Error(`the run's end was answered with ${response.status}`);
    if (!response.ok) {
      throw new SlipwayError("SERVER_ANSWER_INVALID", {
        values: { url: client.baseUrl, reason: `the run's end was answered with ${response.status}` },
      });
    }
  }
}
