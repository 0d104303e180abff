import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { AccessQueue, AccessSettings, AccessTargets } from "../core/aws-access/access-targets.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type EcrRepository, ecrRepository, parseEcrRepository } from "../core/image-repository.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import type { LaunchConfig } from "../core/launch-config/launch-config.ts";
import { collect } from "./collect.ts";
import { readCliConfig } from "./config.ts";
import { openSession, type SessionOptions, serverOptions } from "./session.ts";

/** What every `slipway aws` command is told of the jobs that it is about. */
export interface AccessOptions extends SessionOptions {
  queue?: string[];
  queueFile?: string[];
  config?: string;
  region?: string;
  account?: string;
  partition?: string;
  repository?: string[];
  baseImage?: string[];
  build?: string;
  inputKey?: string[];
}

export function accessOptions(command: Command): Command {
  return serverOptions(
    command
      .option("-q, --queue <name>", "a queue of the server whose jobs are meant; may be given several times", collect)
      .option(
        "-f, --queue-file <file>",
        "a queue's file, or the JSON or YAML body of a CreateTrainingJob; may be given several times, - for standard input",
        collect,
      )
      .option("-c, --config <file>", "the agent's launch-config.yaml: region, registry and builder are taken from it")
      .option("--region <name>", "region of the jobs (default: the config's, else AWS_REGION)")
      .option("--account <id>", "account of the jobs (default: that of RoleArn)")
      .option("--partition <name>", "aws, aws-cn, aws-us-gov, ... (default: that of RoleArn or of the region)")
      .option(
        "--repository <name>",
        "a repository that images come from: its name, URI or ARN; may be given several times",
        collect,
      )
      .option("--build <repository>", "the agent builds images and pushes them here")
      .option("--base-image <image>", "an image that the agent builds on; may be given several times", collect)
      .option(
        "--input-key <key>",
        "a KMS key (ARN, id or alias/NAME) that the jobs' input is encrypted with; may be given several times",
        collect,
      ),
  );
}

/**
 * The queues, files and settings that the options name, as what the jobs touch in AWS.
 * @throws FILE_NOT_FOUND, QUEUE_FILE_INVALID, QUEUE_NOT_FOUND, LAUNCH_CONFIG_INVALID, ACCESS_UNCLEAR
 */
export async function readAccessTargets(options: AccessOptions): Promise<AccessTargets> {
  const { accessTargets } = await import("../core/aws-access/access-targets.ts");
  const { env } = readCliConfig();
  const launchConfig = options.config === undefined ? undefined : await readConfigFile(options.config);
  const region = options.region ?? launchConfig?.environment.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  const base = launchConfig?.builder.base;
  const settings: AccessSettings = {
    ...(region === undefined ? {} : { region }),
    ...(options.account === undefined ? {} : { accountId: options.account }),
    ...(options.partition === undefined ? {} : { partition: options.partition }),
    repositories: options.repository ?? [],
    baseImages: [...(base === undefined ? [] : [base]), ...(options.baseImage ?? [])],
    inputKeys: options.inputKey ?? [],
    builds: buildRepository(options, launchConfig, region),
  };
  return accessTargets(await readQueues(options), settings);
}

async function readQueues(options: AccessOptions): Promise<AccessQueue[]> {
  const queues: AccessQueue[] = [];
  for (const file of options.queueFile ?? []) queues.push(await queueOfFile(file));
  if (options.queue === undefined) return queues;
  const [{ findQueue }, { resourceBody }] = await Promise.all([
    import("./queues.ts"),
    import("../core/training/resource-args.ts"),
  ]);
  const session = await openSession(options);
  for (const name of options.queue) {
    const { config, templateVariables, resource } = await findQueue(session, name);
    const variables = Object.fromEntries(
      templateVariables.map(({ name, schema }) => [name, { schema: schema ?? "{}" }]),
    );
    const body: unknown = typeof config === "string" ? JSON.parse(config) : config;
    queues.push(await accessQueue(name, resourceBody(isJsonObject(body) ? body : {}, resource), variables));
  }
  return queues;
}

async function queueOfFile(file: string): Promise<AccessQueue> {
  const [{ readInput }, { parseQueueFile }, { checkQueue }] = await Promise.all([
    import("./queues.ts"),
    import("../core/queues/queue-file.ts"),
    import("../core/queues/check-queue.ts"),
  ]);
  const read = parseQueueFile(await readInput(file, "--queue-file"), file, "sagemaker");
  const { problems } = checkQueue({
    resource: read.resource ?? "sagemaker",
    config: read.resourceConfig,
    // A body of CreateTrainingJob alone declares nothing: its places stand for anything.
    templateVariables: read.templateVariables,
  });
  const serious =
    read.templateVariables === undefined ? problems.filter((one) => !isUndeclared(one.message)) : problems;
  if (serious.length > 0)
    throw new SlipwayError("QUEUE_FILE_INVALID", {
      values: { file, count: serious.length },
      where: file,
      problems: serious.map((problem) => ({ ...problem, ...read.locate(problem.path) })),
    });
  return accessQueue(file, read.resourceConfig, read.templateVariables);
}

function isUndeclared(message: string): boolean {
  return message.endsWith("is not declared in the template variables");
}

async function accessQueue(name: string, body: JsonObject, variables: unknown): Promise<AccessQueue> {
  const [{ normaliseCreateTrainingJob }, { parseTemplateVariables }] = await Promise.all([
    import("../core/training/create-training-job.ts"),
    import("../core/queues/template-variables.ts"),
  ]);
  return {
    name,
    config: normaliseCreateTrainingJob(body),
    templateVariables: parseTemplateVariables(variables).definitions,
  };
}

async function readConfigFile(file: string): Promise<LaunchConfig> {
  const { parseLaunchConfig } = await import("../core/launch-config/launch-config.ts");
  try {
    return parseLaunchConfig(await readFile(file, "utf8"), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where: "--config" });
  }
}

/** `--build`, else what a launch-config says that builds: its destination or its registry. */
function buildRepository(
  options: AccessOptions,
  config: LaunchConfig | undefined,
  region: string | undefined,
): EcrRepository | undefined {
  if (options.build === undefined)
    return config === undefined || config.builder.type === "noop"
      ? undefined
      : (config.builder.destination ?? config.registry);
  const isName = !/[.:]/.test(options.build);
  const found = isName
    ? ecrRepository({ accountId: options.account ?? "", region: region ?? "", repository: options.build })
    : parseEcrRepository(options.build);
  if (!("problem" in found)) return found;
  const problem =
    isName && options.account === undefined
      ? "--build names a repository by its name alone; give --account too, or the repository's URI or ARN"
      : `--build: ${found.problem}`;
  throw new SlipwayError("USAGE", { values: { problem }, where: "--build" });
}
