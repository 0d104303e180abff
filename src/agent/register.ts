import { hostname } from "node:os";
import type { Client } from "../client/client.ts";
import { AgentQueuesDocument, RegisterAgentDocument, ViewerDocument } from "../client/generated/operations.ts";
import { type Problem, SlipwayError } from "../core/errors/slipway-error.ts";
import { didYouMean } from "../core/nearest.ts";
import { QUEUE_PROJECT } from "../core/protocol.ts";
import type { AgentConfig } from "./config.ts";
import { findPredecessor, keepIdentity } from "./identity.ts";

export interface Registration {
  readonly id: string;
  readonly name: string;
  readonly entity: string;
  readonly queueNames: readonly string[];
  /** Removes the agent's identity from the data directory: nothing is left to take over. */
  forget(): void;
}

/**
 * Makes the agent known to the server, with the queues it serves. An agent of this data directory that died is
 * replaced: what it held is free at once. Throws SERVER_UNREACHABLE, NOT_LOGGED_IN, AGENT_QUEUE_UNKNOWN.
 */
export async function register(client: Client, config: AgentConfig, version: string): Promise<Registration> {
  const entity = config.entity ?? (await ownEntity(client));
  const queueIds = await findQueues(client, entity, config.queues);
  const predecessor = findPredecessor(config.dataDir, config.baseUrl, entity);
  try {
    const { createLaunchAgent } = await client.request(RegisterAgentDocument, {
      input: {
        entityName: entity,
        projectName: QUEUE_PROJECT,
        runQueues: queueIds,
        hostname: hostname(),
        agentConfig: JSON.stringify(config.launchConfig.raw),
        version: `slipway@${version}`,
        ...(predecessor === undefined ? {} : { replaces: predecessor.id }),
      },
    });
    if (createLaunchAgent === null)
      throw new SlipwayError("SERVER_ANSWER_INVALID", noAnswer(client, "createLaunchAgent"));
    const id = createLaunchAgent.launchAgentId;
    const forget = keepIdentity(config.dataDir, { id, baseUrl: config.baseUrl, entity });
    predecessor?.forget();
    return { id, name: createLaunchAgent.launchAgent.name, entity, queueNames: config.queues, forget };
  } catch (error) {
    predecessor?.giveBack();
    throw error;
  }
}

async function ownEntity(client: Client): Promise<string> {
  const { viewer } = await client.request(ViewerDocument, {});
  if (viewer === null) throw new SlipwayError("NOT_LOGGED_IN", { values: { url: client.baseUrl } });
  return viewer.entity;
}

async function findQueues(client: Client, entity: string, names: readonly string[]): Promise<string[]> {
  const { entity: found } = await client.request(AgentQueuesDocument, { entityName: entity });
  return chooseQueues(entity, names, found?.runQueues ?? []);
}

/** The ids of the queues with these names. Throws AGENT_QUEUE_UNKNOWN naming those that are missing. */
export function chooseQueues(
  entity: string,
  names: readonly string[],
  queues: readonly { readonly id: string; readonly name: string }[],
): string[] {
  const known = queues.map((queue) => queue.name);
  const missing = names.filter((name) => !known.includes(name));
  if (missing.length > 0) {
    const problems: Problem[] = missing.map((name) => ({
      path: name,
      message: `Entity ${entity} has no queue ${name}`,
      hint:
        didYouMean(name, known).hint ??
        (known.length > 0 ? `Its queues are ${known.join(", ")}.` : "It has no queues yet."),
    }));
    throw new SlipwayError("AGENT_QUEUE_UNKNOWN", { values: { entity, queue: missing.join(", ") }, problems });
  }
  return names.flatMap((name) => queues.filter((queue) => queue.name === name).map((queue) => queue.id));
}

function noAnswer(client: Client, field: string): { values: { url: string; reason: string } } {
  return { values: { url: client.baseUrl, reason: `${field} gave nothing` } };
}
