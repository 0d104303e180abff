import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { CreateRepositoryCommand, ECRClient } from "@aws-sdk/client-ecr";
import { ListTrainingJobsCommand, SageMakerClient, type TrainingJobSummary } from "@aws-sdk/client-sagemaker";
import { type Client, createClient } from "../../src/client/client.ts";
import {
  ItemDocument,
  ItemLogsDocument,
  type ItemQuery,
  ItemTimelineDocument,
  PushDocument,
  UpsertQueueDocument,
} from "../../src/client/generated/operations.ts";
import { packDirectory } from "../../src/image/pack.ts";
import type { LocalAwsEnvironment } from "../../src/local-aws/first-start.ts";
import { PATIENCE_MS } from "./patience.ts";

export type Item = NonNullable<ItemQuery["runQueueItem"]>;

export interface TimelineEntry {
  readonly at: string;
  readonly kind: string;
  readonly phase: string | null;
  readonly message: string | null;
}

/** A user's view of a running server and AWS: queues, pushes, waiting for items, what SageMaker has. */
export interface World {
  readonly client: Client;
  readonly entity: string;
  readonly aws: LocalAwsEnvironment;
  readonly sagemaker: SageMakerClient;
  readonly logs: CloudWatchLogsClient;
  readonly ecr: ECRClient;
  /** `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`; made if it does not exist. */
  repository(name: string): Promise<string>;
  queue(name: string, config?: Record<string, unknown>): Promise<void>;
  /** Pushes a directory of code; answers the item's id. */
  pushCode(
    queue: string,
    directory: string,
    entryPoint: readonly string[],
    spec?: Record<string, unknown>,
  ): Promise<string>;
  pushImage(queue: string, image: string, spec?: Record<string, unknown>): Promise<string>;
  item(id: string): Promise<Item>;
  /** Asks until the item is as wanted; throws with the whole item after the time (milliseconds). */
  untilItem(id: string, what: string, wanted: (item: Item) => boolean): Promise<Item>;
  settled(id: string): Promise<Item>;
  timeline(id: string): Promise<readonly TimelineEntry[]>;
  /** Every log line of an item as `NODE TEXT`, in order of arrival. */
  lines(id: string): Promise<string[]>;
  trainingJobs(nameContains: string): Promise<readonly TrainingJobSummary[]>;
}

/** Puts the settings by which the AWS SDKs find the local AWS into an environment. */
export function awsVariables(aws: LocalAwsEnvironment): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: aws.endpointUrl,
    AWS_ACCESS_KEY_ID: aws.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
    AWS_REGION: aws.region,
  };
}

export async function temporaryDirectory(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `slipway-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The world of a data directory in which a server and a local AWS run. */
export async function openWorld(dataDir: string): Promise<World> {
  const read = async <T>(...path: string[]) => JSON.parse(await readFile(join(dataDir, ...path), "utf8")) as T;
  const me = await read<{ baseUrl: string; apiKey: string; entity: string }>("credentials.json");
  const running = await read<{ url: string }>("run", "server.json");
  const aws = await read<LocalAwsEnvironment>("local-aws", "env.json");
  const client = createClient({ baseUrl: running.url, apiKey: me.apiKey });
  return worldOf(client, me.entity, aws);
}

export function worldOf(client: Client, entity: string, aws: LocalAwsEnvironment): World {
  const settings = {
    endpoint: aws.endpointUrl,
    region: aws.region,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  };
  const sagemaker = new SageMakerClient(settings);
  const ecr = new ECRClient(settings);

  async function push(queue: string, spec: Record<string, unknown>): Promise<string> {
    const runSpec = JSON.stringify({
      entity,
      project: "test",
      resource: null,
      git: {},
      overrides: {},
      docker: {},
      ...spec,
    });
    const input = { entityName: entity, projectName: "model-registry", queueName: queue, runSpec };
    const { pushToRunQueueByName } = await client.request(PushDocument, { input });
    if (pushToRunQueueByName === null) throw new Error("the push was answered by null");
    return pushToRunQueueByName.runQueueItemId;
  }

  async function item(id: string): Promise<Item> {
    const { runQueueItem } = await client.request(ItemDocument, { id });
    if (runQueueItem === null) throw new Error(`there is no item ${id}`);
    return runQueueItem;
  }

  async function untilItem(id: string, what: string, wanted: (item: Item) => boolean): Promise<Item> {
    const before = Date.now() + PATIENCE_MS;
    for (;;) {
      const now = await item(id);
      if (wanted(now)) return now;
      if (Date.now() > before) throw new Error(`${what} did not come about: ${JSON.stringify(now, null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  return {
    client,
    entity,
    aws,
    sagemaker,
    ecr,
    logs: new CloudWatchLogsClient(settings),
    async repository(name) {
      try {
        await ecr.send(new CreateRepositoryCommand({ repositoryName: name }));
      } catch (error) {
        if ((error as Error).name !== "RepositoryAlreadyExistsException") throw error;
      }
      return `${aws.ecrRegistry}/${name}`;
    },
    async queue(name, config = {}) {
      const resourceConfig = JSON.stringify({
        resource_args: {
          sagemaker: {
            RoleArn: aws.roleArn,
            OutputDataConfig: { S3OutputPath: `s3://${aws.bucket}/out` },
            ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
            StoppingCondition: { MaxRuntimeInSeconds: 600 },
            ...config,
          },
        },
      });
      const input = {
        entityName: entity,
        projectName: "model-registry",
        queueName: name,
        resourceType: "sagemaker",
        resourceConfig,
      };
      await client.request(UpsertQueueDocument, { input });
    },
    async pushCode(queue, directory, entryPoint, spec = {}) {
      const packed = await packDirectory(directory);
      try {
        await client.code.upload(entity, packed.digest, await readFile(packed.archive));
        const requirements = packed.files.some((file) => file.path === "requirements.txt")
          ? { requirements: "requirements.txt" }
          : {};
        const code = { digest: packed.digest, size: packed.size, entry_point: entryPoint, ...requirements };
        return await push(queue, { code, ...spec });
      } finally {
        await packed.remove();
      }
    },
    pushImage: (queue, image, spec = {}) => push(queue, { docker: { docker_image: image }, ...spec }),
    item,
    untilItem,
    settled: (id) => untilItem(id, "the item's end", (now) => now.phase === "settled"),
    async timeline(id) {
      const { runQueueItem } = await client.request(ItemTimelineDocument, { id, first: 500 });
      return runQueueItem?.timeline ?? [];
    },
    async lines(id) {
      const all: string[] = [];
      for (let after = -1; ; ) {
        const { runQueueItem } = await client.request(ItemLogsDocument, { id, after, first: 1000 });
        const page = runQueueItem?.logs;
        if (page === undefined || page.lines.length === 0) return all;
        all.push(...page.lines.map((line) => `${line.node} ${line.text}`));
        after = page.next;
      }
    },
    async trainingJobs(nameContains) {
      const jobs: TrainingJobSummary[] = [];
      let NextToken: string | undefined;
      do {
        const page = await sagemaker.send(
          new ListTrainingJobsCommand({
            NameContains: nameContains,
            MaxResults: 100,
            ...(NextToken ? { NextToken } : {}),
          }),
        );
        jobs.push(...(page.TrainingJobSummaries ?? []));
        NextToken = page.NextToken;
      } while (NextToken);
      return jobs;
    },
  };
}
