import colors from "picocolors";
import { AgentsDocument, StopAgentDocument } from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { nearest } from "../core/nearest.ts";
import { printTable } from "./output/table.ts";
import { ago } from "./output/time.ts";
import type { Session } from "./session.ts";

export async function listAgents(session: Session, { all, json }: { all: boolean; json: boolean }): Promise<void> {
  const { launchAgents } = await session.client.request(AgentsDocument, { entityName: await session.entity(), all });
  if (json) return console.log(JSON.stringify(launchAgents));
  if (launchAgents.length === 0) return console.log("No agents. Start one: slipway launch-agent -q QUEUE");
  const now = Date.now();
  printTable(
    ["agent", "host", "version", "queues", "holds", "status", "last seen"],
    launchAgents.map((agent) => [
      agent.name,
      agent.hostname ?? "-",
      agent.version ?? "-",
      agent.queueNames.join(","),
      agent.items.length,
      agent.stopPolling ? "stopping" : agent.alive ? (agent.agentStatus ?? "-") : "gone",
      ago(agent.heartbeatAt, now),
    ]),
  );
}

export async function stopAgent(session: Session, name: string, json: boolean): Promise<void> {
  const { launchAgents } = await session.client.request(AgentsDocument, {
    entityName: await session.entity(),
    all: true,
  });
  const agent = launchAgents.find((one) => one.name === name || one.id === name);
  if (agent === undefined) {
    const near = nearest(
      name,
      launchAgents.map((one) => one.name),
    );
    const hint = near === undefined ? {} : { hint: `Did you mean ${near}? \`slipway agent list\` shows them.` };
    throw new SlipwayError("AGENT_NOT_FOUND", { values: { agent: name }, ...hint });
  }
  await session.client.request(StopAgentDocument, { id: agent.id });
  if (json) return console.log(JSON.stringify({ id: agent.id, name: agent.name, stopPolling: true }));
  console.log(`${colors.green("asked")} agent ${agent.name} to stop polling`);
}
