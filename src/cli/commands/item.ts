import { Command } from "commander";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

type Options = SessionOptions & { json?: boolean };

export function itemCommand(): Command {
  const item = new Command("item").description("Items: requests to run a job. Named by item id or run id.");
  serverOptions(item.command("list"))
    .description("List items, newest first.")
    .option("-q, --queue <name>", "of one queue")
    .option("--state <states>", "for instance PENDING,CLAIMED")
    .option("-n, --limit <n>", "how many", Number, 50)
    .option("--json", "print JSON")
    .action(async (options: Options & { queue?: string; state?: string; limit: number }) => {
      const { listItems } = await import("../items.ts");
      await listItems(await openSession(options), { ...options, json: options.json === true });
    });
  serverOptions(item.command("show <item>"))
    .description("Show what happened to an item and what to do.")
    .option("--json", "print JSON")
    .action(async (id: string, options: Options) => {
      const { printItem } = await import("../items.ts");
      await printItem(await openSession(options), id, options.json === true);
    });
  serverOptions(item.command("stop <item>"))
    .description("Stop an item: at once while it waits, with StopTrainingJob while it runs.")
    .option("--json", "print JSON")
    .action(async (id: string, options: Options) => {
      const { stopItem } = await import("../items.ts");
      await stopItem(await openSession(options), id, options.json === true);
    });
  serverOptions(item.command("retry <item>"))
    .description("Push a settled item again, as a new item.")
    .option("-f, --follow", "show phases and logs until the end")
    .option("--json", "print JSON")
    .action(async (id: string, options: Options & { follow?: boolean }) => {
      const { retryItem } = await import("../items.ts");
      await retryItem(await openSession(options), id, { json: options.json === true, follow: options.follow === true });
    });
  serverOptions(item.command("request <item>"))
    .description("Print the exact CreateTrainingJob request that an item was submitted with; secrets are masked.")
    .option("--aws-cli", "as an `aws sagemaker create-training-job` command")
    .option("--name <name>", "with --aws-cli: another name for the training job")
    .action(async (id: string, options: Options & { awsCli?: boolean; name?: string }) => {
      const { printRequest } = await import("../item-requests.ts");
      const { awsCli = false, name } = options;
      await printRequest(await openSession(options), id, { awsCli, ...(name === undefined ? {} : { name }) });
    });
  serverOptions(item.command("diff <item> <other>"))
    .description("Show where the CreateTrainingJob requests of two items differ. Exit code 1 if they do.")
    .option("--all", "also what is different for every item: names, run ids")
    .option("--json", "print JSON")
    .action(async (left: string, right: string, options: Options & { all?: boolean }) => {
      const { printDiff } = await import("../item-requests.ts");
      const shown = { all: options.all === true, json: options.json === true };
      process.exitCode = await printDiff(await openSession(options), { left, right }, shown);
    });
  return item;
}
