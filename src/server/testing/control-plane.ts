import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Database } from "../../store/database.ts";
import { createDirectoryFileStore } from "../../store/files.ts";
import type { AgentRecord, ItemRecord, QueueRecord } from "../../store/records.ts";
import type { Lease, LeaseRef } from "../services/items.ts";
import type { Principal } from "../services/principal.ts";
import { createServices, type ServiceLimits, type Services } from "../services/services.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

const RESOURCE_CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});

/** The services on a real database and a clock that stands still, with an admin. */
export interface ControlPlane {
  readonly services: Services;
  readonly clock: ManualClock;
  readonly admin: Principal;
  readonly adminKey: string;
  user(name: string): Promise<Principal>;
  queue(name?: string): Promise<QueueRecord>;
  agent(queues: readonly QueueRecord[], replaces?: string): Promise<AgentRecord>;
  push(queue: QueueRecord, options?: { priority?: number; spec?: object }): Promise<ItemRecord>;
  /** Without waiting. */
  lease(agent: AgentRecord, max?: number): Promise<readonly Lease[]>;
  item(id: string): Promise<ItemRecord>;
  close(): Promise<void>;
}

export function refOf(lease: Lease | undefined): LeaseRef {
  if (!lease) throw new Error("nothing was leased");
  return { itemId: lease.item.id, attempt: lease.item.attempt, fencingToken: lease.item.fencingToken };
}

export async function createControlPlane(
  database: Database,
  limits: Partial<ServiceLimits> = {},
): Promise<ControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-services-"));
  const clock = manualClock();
  const files = createDirectoryFileStore(directory);
  const logger = pino({ level: "silent" });
  const services = createServices({ database, files, clock, logger, random: randomBytes, limits });
  const first = await services.accounts.ensureFirstAdmin({ name: "admin" });
  if (!first) throw new Error("the database is not empty");
  const principalOf = async (key: string): Promise<Principal> => {
    const principal = await services.accounts.authenticate(key);
    if (!principal) throw new Error("the key is unknown");
    return principal;
  };
  const admin = await principalOf(first.apiKey);
  let queues = 0;
  return {
    services,
    clock,
    admin,
    adminKey: first.apiKey,
    user: async (name) => principalOf((await services.accounts.createUser(admin, { name })).apiKey),
    queue: (name = `queue-${++queues}`) =>
      services.queues.upsert(admin, {
        entityName: "admin",
        queueName: name,
        resourceType: "sagemaker",
        resourceConfig: RESOURCE_CONFIG,
      }),
    agent: (served, replaces) =>
      services.agents.create(admin, {
        entityName: "admin",
        queueIds: served.map((queue) => queue.id),
        hostname: "host",
        replaces: replaces ?? null,
      }),
    push: (queue, { priority, spec } = {}) =>
      services.items.push(admin, {
        queue: { id: queue.id },
        priority: priority ?? null,
        runSpec: JSON.stringify({
          entity: "admin",
          project: "digits",
          docker: { docker_image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/digits:1" },
          ...spec,
        }),
      }),
    lease: async (agent, max = 1) =>
      (await services.items.lease(admin, { launchAgentId: agent.id, max, waitSeconds: 0 })).leases,
    async item(id) {
      const item = await services.items.get(admin, id);
      if (!item) throw new Error(`item ${id} is gone`);
      return item;
    },
    async close() {
      await services.close();
      await files.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
