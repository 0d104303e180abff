import { Command } from "commander";
import { collect } from "../collect.ts";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

interface QueueWriteOptions extends SessionOptions {
  file?: string;
  resource: string;
  setDefault?: string[];
  prioritization?: boolean;
  json?: boolean;
}

export function queueCommand(): Command {
  const queue = new Command("queue").description("Queues: ordered lists of items for one resource, with its config.");
  for (const verb of ["create", "update"] as const) {
    serverOptions(queue.command(`${verb} <name>`))
      .description(
        verb === "create"
          ? "Create a queue with a CreateTrainingJob config (YAML or JSON)."
          : "Replace a queue's config; items already pushed keep theirs.",
      )
      .requiredOption("-f, --file <file>", "the config: YAML or JSON, - for standard input")
      .option("-r, --resource <kind>", "kind of compute", "sagemaker")
      .option("--set-default <name=value>", "default of a template variable; may be given several times", collect)
      .option("--prioritization", "let items name a priority (V0)")
      .option("--json", "print JSON")
      .action(async (name: string, options: QueueWriteOptions) => {
        const { writeQueue } = await import("../queues.ts");
        await writeQueue(await openSession(options), name, {
          ...options,
          file: options.file ?? "-",
          create: verb === "create",
        });
      });
  }
  serverOptions(queue.command("list"))
    .description("List queues with what is in them.")
    .option("--json", "print JSON")
    .action(async (options: SessionOptions & { json?: boolean }) => {
      const { listQueues } = await import("../queues.ts");
      await listQueues(await openSession(options), options.json === true);
    });
  serverOptions(queue.command("show <name>"))
    .description("Show a queue: config, template variables, agents.")
    .option("--json", "print JSON")
    .action(async (name: string, options: SessionOptions & { json?: boolean }) => {
      const { showQueue } = await import("../queues.ts");
      await showQueue(await openSession(options), name, options.json === true);
    });
  serverOptions(queue.command("delete <name>"))
    .description("Delete a queue and the items that wait in it.")
    .option("--json", "print JSON")
    .action(async (name: string, options: SessionOptions & { json?: boolean }) => {
      const { deleteQueue } = await import("../queues.ts");
      await deleteQueue(await openSession(options), name, options.json === true);
    });
  return queue;
}
