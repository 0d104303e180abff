import { Command } from "commander";
import { openSession, type SessionOptions, serverOptions } from "../session.ts";

type Options = SessionOptions & { json?: boolean; all?: boolean };

export function agentCommand(): Command {
  const agent = new Command("agent").description("Agents that serve your queues.");
  serverOptions(agent.command("list"))
    .description("List agents: host, version, queues, what they hold.")
    .option("-a, --all", "those that are gone, too")
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { listAgents } = await import("../agents.ts");
      await listAgents(await openSession(options), { all: options.all === true, json: options.json === true });
    });
  serverOptions(agent.command("stop <agent>"))
    .description("Ask an agent (by name or id) to stop polling and exit; its jobs run on.")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options) => {
      const { stopAgent } = await import("../agents.ts");
      await stopAgent(await openSession(options), name, options.json === true);
    });
  return agent;
}
