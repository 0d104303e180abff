import { hostname } from "node:os";
import type { Client } from "../../client/client.ts";
import {
  PlainAgentDocument,
  PlainQueuesDocument,
  PlainRegisterDocument,
  PlainViewerDocument,
} from "../../client/generated/operations.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { QUEUE_PROJECT } from "../../core/protocol.ts";
import type { AgentConfig } from "../config.ts";
import { findPredecessor, keepIdentity, type Predecessor } from "../identity.ts";
import { chooseQueues, type Registration } from "../register.ts";
import { openPlainRecords, type PlainRecords } from "./records.ts";

export interface PlainRegistration extends Registration {
  /** The items it has taken, those of the agents before it too. */
  readonly plainRecords: PlainRecords;
}

/**
 * Makes the agent known to a server that knows the wandb client's protocol only. What agents of this data directory
 * that have died had taken becomes this agent's. Throws SERVER_UNREACHABLE, NOT_LOGGED_IN, AGENT_QUEUE_UNKNOWN.
 */
export async function registerPlain(client: Client, config: AgentConfig, version: string): Promise<PlainRegistration> {
  const entity = config.entity ?? (await ownEntity(client));
  const { project } = await client.request(PlainQueuesDocument, { entity, project: QUEUE_PROJECT });
  const queueIds = chooseQueues(entity, config.queues, project?.runQueues ?? []);
  const { createLaunchAgent } = await client.request(PlainRegisterDocument, {
    input: {
      entityName: entity,
      projectName: QUEUE_PROJECT,
      runQueues: queueIds,
      hostname: hostname(),
      agentConfig: JSON.stringify(config.launchConfig.raw),
      version: `slipway@${version}`,
    },
  });
  if (createLaunchAgent === null) {
    const values = { url: client.baseUrl, reason: "createLaunchAgent gave nothing" };
    throw new SlipwayError("SERVER_ANSWER_INVALID", { values });
  }
  const id = createLaunchAgent.launchAgentId;
  const { launchAgent } = await client.request(PlainAgentDocument, { id });
  const dead: Predecessor[] = [];
  for (;;) {
    const one = findPredecessor(config.dataDir, config.baseUrl, entity);
    if (one === undefined) break;
    dead.push(one);
  }
  // Known before the records move to it: a crash from here on leaves them to whoever succeeds this agent.
  const forgetIdentity = keepIdentity(config.dataDir, { id, baseUrl: config.baseUrl, entity });
  const plainRecords = openPlainRecords(config.dataDir, id);
  for (const one of dead) {
    plainRecords.takeOver(one.id);
    one.forget();
  }
  return {
    id,
    name: launchAgent?.name ?? id,
    entity,
    queueNames: config.queues,
    plainRecords,
    forget: () => {
      if (plainRecords.all().length === 0) forgetIdentity();
    },
  };
}

async function ownEntity(client: Client): Promise<string> {
  const { viewer } = await client.request(PlainViewerDocument, {});
  if (viewer === null) throw new SlipwayError("NOT_LOGGED_IN", { values: { url: client.baseUrl } });
  return viewer.entity;
}
