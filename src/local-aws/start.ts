import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { type Clock, systemClock } from "../core/clock.ts";
import type { LocalAwsConfig } from "./config.ts";
import { openDatabase } from "./database.ts";
import { createEcr } from "./ecr/ecr.ts";
import { registryForEngine } from "./ecr/engine-registry.ts";
import { createRegistryRoutes } from "./ecr/registry/routes.ts";
import { repositoryPolicy } from "./ecr/repository-policy.ts";
import { createEcrService } from "./ecr/service.ts";
import { environmentFile, type LocalAwsEnvironment, prepareAccount, writePrivateJson } from "./first-start.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { createAccess } from "./iam/authorize.ts";
import { createIam } from "./iam/iam.ts";
import { createResourcePolicies } from "./iam/resource-policies.ts";
import { createIamService } from "./iam/service.ts";
import { createKeyStore } from "./kms/key-store.ts";
import { createKmsService } from "./kms/service.ts";
import { createLogStore } from "./logs/log-store.ts";
import { createLogsService } from "./logs/service.ts";
import { createDockerRuntime } from "./runtimes/docker.ts";
import { bucketPolicy } from "./s3/bucket-policy.ts";
import { createObjectStore } from "./s3/object-store.ts";
import { createS3Service } from "./s3/service.ts";
import { assembleSageMaker } from "./sagemaker/assemble.ts";
import type { AwsService, HttpRoutes, LocalAwsContext } from "./service.ts";
import { createStsService } from "./sts/service.ts";

export interface RunningLocalAws {
  /** AWS_ENDPOINT_URL for its clients. */
  readonly url: string;
  readonly environment: LocalAwsEnvironment;
  /** Stops listening, leaves running training jobs alone, closes the database. */
  close(): Promise<void>;
}

/**
 * Starts the local AWS: one port, state under `DATA/local-aws`, `DATA/run/local-aws.json` while it runs. The first start makes
 * the account's user, role and bucket; every start writes `DATA/local-aws/env.json`.
 * Throws PORT_TAKEN, LOCAL_AWS_IN_USE.
 */
export async function startLocalAws(
  config: LocalAwsConfig,
  deps: { readonly logger?: Logger; readonly clock?: Clock } = {},
): Promise<RunningLocalAws> {
  const logger = deps.logger ?? pino({ level: config.logLevel, name: "local-aws" }, pino.destination(2));
  const clock = deps.clock ?? systemClock;
  const runFile = join(config.dataDir, "run", "local-aws.json");
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  await mkdir(join(config.dataDir, "run"), { recursive: true, mode: 0o700 });
  const database = openDatabase(config.stateDir);
  let gateway: Gateway | undefined;
  const context: LocalAwsContext = {
    db: database.db,
    dataDir: config.stateDir,
    clock,
    logger,
    accountId: config.accountId,
    region: config.region,
    baseUrl: () => {
      if (gateway === undefined) throw new Error("the local AWS does not listen yet");
      return gateway.url;
    },
  };
  let services: readonly AwsService[] = [];
  const close = async () => {
    await gateway?.close();
    for (const service of services) await service.close?.();
    await rm(runFile, { force: true });
    database.close();
  };
  try {
    const parts = createParts(context, config);
    services = parts.services;
    const account = prepareAccount(context, parts.iam, parts.objects.buckets);
    gateway = await openGateway(
      { ...parts, keys: parts.iam.keys, accountId: config.accountId, region: config.region, clock, logger },
      config.host,
      config.port,
    );
    const environment = { endpointUrl: gateway.url, ...account };
    await writePrivateJson(environmentFile(config.stateDir), environment);
    await writePrivateJson(runFile, { url: gateway.url, pid: process.pid });
    await parts.sagemaker.resume();
    logger.info({ url: gateway.url, services: services.map(({ scope }) => scope) }, "the local AWS listens");
    return { url: gateway.url, environment, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function createParts(context: LocalAwsContext, config: LocalAwsConfig) {
  const iam = createIam(context);
  const logStore = createLogStore(context, context.clock);
  const ecr = createEcr(context);
  const objects = createObjectStore(context);
  const keys = createKeyStore(context);
  const access = createAccess({
    iam,
    accountId: context.accountId,
    enforced: config.enforcesIam,
    clock: context.clock,
    logger: context.logger,
    resourcePolicies: createResourcePolicies(iam.roles, {
      kms: (resource) => keys.policyOf(resource),
      s3: (resource) => bucketPolicy(objects.buckets, resource),
      ecr: (resource, region, accountId) => repositoryPolicy(ecr.repositories, { accountId, region }, resource),
    }),
  });
  const { runtime, searchPath, stopGraceMs } = config;
  const sagemaker = assembleSageMaker(context, {
    iam,
    access,
    objects,
    images: ecr.store,
    logs: logStore,
    docker: createDockerRuntime({
      host: config.engineHost,
      registry: registryForEngine(context, ecr),
      logger: context.logger,
    }),
    runtime,
    searchPath,
    stopGraceMs,
  });
  const services: AwsService[] = [
    sagemaker.service,
    createS3Service(context, objects),
    createLogsService(context, logStore),
    createEcrService(context, ecr),
    createStsService(iam),
    createIamService(iam, context.accountId),
    createKmsService(keys, context.accountId),
  ];
  const routes: HttpRoutes[] = [createRegistryRoutes(context, ecr, access), sagemaker.routes];
  return { iam, access, objects, sagemaker, services, routes };
}
