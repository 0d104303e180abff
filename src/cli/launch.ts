import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, posix, resolve } from "node:path";
import colors from "picocolors";
import { PushDocument } from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { looksLikeGitRemote } from "../core/git-remote.ts";
import type { CodeSource, RepoSource, RunSpec } from "../core/items/run-spec.ts";
import { jobAddress, jobPath } from "../core/jobs/job-names.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { nearest } from "../core/nearest.ts";
import { QUEUE_PROJECT } from "../core/protocol.ts";
import type { LaunchOptions } from "./commands/launch.ts";
import { defaultScript } from "./default-script.ts";
import { followItem } from "./follow.ts";
import { jsonArgument } from "./json-argument.ts";
import { nameAndValue } from "./name-and-value.ts";
import { launchPlain } from "./plain/launch.ts";
import { NO_PROJECT, projectOf } from "./project.ts";
import type { Session } from "./session.ts";
import { splitWords } from "./split-words.ts";

const PRIORITIES = ["critical", "high", "medium", "low"];

/** Pushes one job and, with `--follow`, watches it to its end. */
export async function launch(session: Session, source: string | undefined, options: LaunchOptions): Promise<void> {
  const entity = await session.entity();
  const entryPoint = options.entryPoint === undefined ? undefined : splitWords(options.entryPoint, "--entry-point");
  const overrides = await overridesOf(options, entryPoint);
  const what = await whatToRun(session, entity, source, options, entryPoint);
  const runSpec: RunSpec = {
    entity,
    project: options.project ?? NO_PROJECT,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...what,
    overrides,
    ...(options.resourceArgs === undefined ? {} : { resource_args: await resourceArgs(options.resourceArgs) }),
  };
  const { queue } = options;
  const chosen = {
    ...(options.priority === undefined ? {} : { priority: priorityOf(options.priority) }),
    ...(options.setVar === undefined ? {} : { templateVariableValues: JSON.stringify(templateValues(options.setVar)) }),
  };
  if (await session.plain()) return launchPlain(session, { entity, queue, runSpec, ...chosen }, options);
  const { pushToRunQueueByName: pushed } = await session.client.request(PushDocument, {
    input: {
      entityName: entity,
      projectName: QUEUE_PROJECT,
      queueName: queue,
      runSpec: JSON.stringify(runSpec),
      ...chosen,
    },
  });
  const item = pushed?.runQueueItem;
  if (item == null) throw new Error("the server gave no item for the push");
  if (options.follow) {
    if (!options.json) console.error(`${colors.green("pushed")} ${item.runId} to ${entity}/${options.queue}`);
    process.exitCode = await followItem(session, item.id, { json: options.json === true });
    return;
  }
  if (options.json) return console.log(JSON.stringify(item));
  console.log(`${colors.green("pushed")} ${item.runId} to ${entity}/${options.queue}`);
  console.log(
    colors.dim(`slipway logs ${item.runId} -f     slipway item show ${item.runId}     slipway item stop ${item.runId}`),
  );
}

async function whatToRun(
  session: Session,
  entity: string,
  source: string | undefined,
  options: LaunchOptions,
  entryPoint: readonly string[] | undefined,
): Promise<Pick<RunSpec, "docker" | "code" | "repo"> | Pick<RunSpec, "job" | "project">> {
  if (options.ref !== undefined && (source === undefined || !looksLikeGitRemote(source)))
    throw usage("--ref names a branch, tag or commit of a git repository, and the source is none", "--ref");
  if (options.job !== undefined) {
    if (source !== undefined || options.dockerImage !== undefined)
      throw usage("give one thing to run: a source, --docker-image or --job", "--job");
    if (options.base !== undefined)
      throw usage("--base is for code; a job has its own base image (slipway job create --base-image)", "--base");
    const from = { entity, project: projectOf(session, options.project) };
    const address = jobAddress(options.job, from);
    if (address === undefined) throw usage(`${JSON.stringify(options.job)} is not the name of a job`, "--job");
    // Where no other project is named, the run is beside its job.
    return { job: jobPath(address), project: options.project ?? address.project };
  }
  if (options.dockerImage !== undefined) {
    if (options.dockerfile !== undefined)
      throw usage("--dockerfile is for code; a prebuilt image is made already", "--dockerfile");
    if (source !== undefined) throw usage("give either a source or --docker-image, not both", "--docker-image");
    return { docker: { docker_image: options.dockerImage } };
  }
  if (source === undefined)
    throw usage("say what to run: a directory, a script, a git repository, -d IMAGE or -j JOB", "source");
  const isGit = looksLikeGitRemote(source);
  if (isGit && entryPoint === undefined && options.dockerfile === undefined)
    throw usage('a git repository needs an entry point, for instance -E "python3 train.py"', "--entry-point");
  if (await session.plain()) return jobOf(session, source, options, isGit);
  if (isGit) return { repo: await pinned(source, options, entryPoint ?? []) };
  const { directory, script } = await findSource(source);
  // An image that a Dockerfile makes says itself what it runs.
  const own = options.dockerfile !== undefined && script === undefined ? [] : undefined;
  const entry = entryPoint ?? own ?? ["python3", script ?? (await defaultScript(directory))];
  const { packDirectory } = await import("../image/pack.ts");
  const packed = await packDirectory(directory);
  const { dockerfile } = options;
  try {
    if (dockerfile !== undefined && !packed.files.some(({ path }) => path === posix.normalize(dockerfile)))
      throw new SlipwayError("DOCKERFILE_NOT_FOUND", { values: { dockerfile }, where: "--dockerfile" });
    await session.client.code.upload(entity, packed.digest, await openAsBlob(packed.archive));
  } finally {
    await packed.remove();
  }
  const code: CodeSource = {
    digest: packed.digest,
    size: packed.size,
    entry_point: entry,
    ...(dockerfile === undefined ? {} : { dockerfile: posix.normalize(dockerfile) }),
    ...(packed.files.some((file) => file.path === "requirements.txt") ? { requirements: "requirements.txt" } : {}),
    ...(options.base === undefined ? {} : { base: options.base }),
  };
  return { code };
}

/** Another server of the wandb client's protocol takes code as a job alone, so a job is made of it first, as `wandb launch` does. */
async function jobOf(session: Session, source: string, options: LaunchOptions, isGit: boolean) {
  const { makeCodeJob, makeRepoJob } = await import("./job-making.ts");
  const project = options.project ?? NO_PROJECT;
  const about = {
    project,
    ...(options.entryPoint === undefined ? {} : { entryPoint: options.entryPoint }),
    ...(options.base === undefined ? {} : { baseImage: options.base }),
    ...(options.dockerfile === undefined ? {} : { dockerfile: options.dockerfile }),
    ...(options.ref === undefined ? {} : { ref: options.ref }),
  };
  if (isGit) return { job: (await makeRepoJob(session, source, about)).path, project };
  const { script } = await findSource(source);
  // As it was written: the job is named after it.
  const directory = script === undefined ? source : dirname(source);
  const entryPoint = options.entryPoint ?? (script === undefined ? undefined : `python3 ${quoted(script)}`);
  const given = { ...about, ...(entryPoint === undefined ? {} : { entryPoint }) };
  return { job: (await makeCodeJob(session, directory, given)).path, project };
}

/** A word that splitWords leaves whole. */
const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** A git repository at the commit that the branch or tag is at now: what runs does not change while it waits. */
async function pinned(remote: string, options: LaunchOptions, entryPoint: readonly string[]): Promise<RepoSource> {
  const { findCommit } = await import("../image/git-source.ts");
  const commit = await findCommit(remote, options.ref ?? "HEAD", { timeoutMs: 60_000 });
  return {
    remote,
    commit,
    entry_point: entryPoint,
    ...(options.dockerfile === undefined ? {} : { dockerfile: posix.normalize(options.dockerfile) }),
    ...(options.base === undefined ? {} : { base: options.base }),
  };
}

async function findSource(source: string): Promise<{ directory: string; script?: string }> {
  const path = resolve(source);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return { directory: path };
  if (found?.isFile()) return { directory: dirname(path), script: basename(path) };
  throw new SlipwayError("SOURCE_NOT_FOUND", { values: { source }, where: "source" });
}

/** `--config` as the wandb client takes it: `{overrides: {...}}`, or the run config alone. */
async function overridesOf(options: LaunchOptions, entryPoint: readonly string[] | undefined): Promise<JsonObject> {
  const given = options.config === undefined ? {} : await jsonArgument(options.config, "--config");
  const overrides = (
    isJsonObject(given.overrides) ? given.overrides : "run_config" in given ? given : { run_config: given }
  ) as JsonObject;
  // Code that is pushed now has its entry point beside it.
  const made = (options.dockerImage ?? options.job) !== undefined && entryPoint !== undefined;
  const ofJob = options.job !== undefined && options.dockerfile !== undefined;
  return {
    ...(options.config === undefined ? {} : overrides),
    ...(made ? { entry_point: entryPoint } : {}),
    ...(ofJob ? { dockerfile: options.dockerfile as string } : {}),
  };
}

async function resourceArgs(argument: string): Promise<{ [resource: string]: JsonObject }> {
  const given = await jsonArgument(argument, "--resource-args");
  return isJsonObject(given.sagemaker) ? { sagemaker: given.sagemaker } : { sagemaker: given };
}

function priorityOf(level: string): number {
  const number = /^[0-3]$/.test(level) ? Number(level) : PRIORITIES.indexOf(level.toLowerCase());
  if (number >= 0) return number;
  const near = nearest(level, PRIORITIES);
  throw usage(
    `--priority must be critical, high, medium or low (0 to 3), not "${level}"${near ? `; did you mean ${near}?` : ""}`,
    "--priority",
  );
}

function templateValues(settings: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    settings.map((setting) => nameAndValue(setting, "--set-var")).map(({ name, value }) => [name, value]),
  );
}

function usage(problem: string, where: string): SlipwayError {
  return new SlipwayError("USAGE", { values: { problem }, where });
}
