import type { LogLineInput } from "../client/generated/operations.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { HeldItem } from "./held-item.ts";

/** The name under which the lines of a build stand beside the nodes of the job. */
const BUILD_NODE = "build";

export interface BuildLog {
  line(text: string): void;
  /** Sends what is left; throws what a send threw. */
  flush(): Promise<void>;
}

/** Lines of a build, sent in batches one after another; the cursor is the number of lines of this attempt's builds. */
export function createBuildLog(controlPlane: ControlPlane, held: HeldItem, now: () => number): BuildLog {
  let cursor = held.lease.logCursors.find((one) => one.node === BUILD_NODE)?.cursor ?? "";
  let lines: LogLineInput[] = [];
  let sending: Promise<void> | undefined;
  let failure: unknown;

  async function send(): Promise<void> {
    while (lines.length > 0 && failure === undefined) {
      const batch = lines;
      lines = [];
      const to = String(Number(cursor) + batch.length);
      const stream = { node: BUILD_NODE, stream: BUILD_NODE, from: cursor, to, lines: batch };
      try {
        const stored = await controlPlane.appendLogs(held, stream);
        const now = stored.find((one) => one.stream === BUILD_NODE)?.cursor ?? to;
        // A build of before, of the same attempt, left lines: these go after them.
        if (now !== to) lines = [...batch, ...lines];
        cursor = now;
      } catch (error) {
        failure = error;
      }
    }
  }

  const start = () => {
    sending ??= send().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    line(text) {
      lines.push({ at: now(), text });
      void start();
    },
    async flush() {
      while (lines.length > 0 && failure === undefined) await start();
      await sending;
      if (failure !== undefined) throw failure;
    },
  };
}
