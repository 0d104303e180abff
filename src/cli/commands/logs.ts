import { Command } from "commander";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

export function logsCommand(): Command {
  return serverOptions(new Command("logs"))
    .description("Print an item's log: build and every node, in order of arrival.")
    .argument("<item>", "item id or run id")
    .option("-f, --follow", "go on until the item has settled; phases are told on stderr")
    .option("--node <name>", "one node only: algo-1, build")
    .option("-n, --tail <n>", "the last lines only", Number)
    .option("--json", "print one JSON object a line")
    .action(
      async (
        id: string,
        options: SessionOptions & { follow?: boolean; node?: string; tail?: number; json?: boolean },
      ) => {
        const { printLogs } = await import("../logs.ts");
        await printLogs(await openSession(options), id, options);
      },
    );
}
