import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ArtifactWriterDeps,
  type NewArtifact,
  type WrittenVersion,
  writeArtifact,
} from "../client/artifact-writer.ts";
import {
  BeginHiddenRunDocument,
  EnsureProjectDocument,
  RemoveHiddenRunDocument,
  UpdateArtifactVersionDocument,
} from "../client/generated/operations.ts";
import { systemClock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { gitRemoteProblem } from "../core/git-remote.ts";
import { readInputSchemaFile } from "../core/jobs/input-schema-file.ts";
import { JOB_FILE, JOB_REQUIREMENTS_FILE, JOB_TYPE } from "../core/jobs/job-file.ts";
import { codeJobNames, imageJobName, jobPath, repoJobName, safeArtifactName } from "../core/jobs/job-names.ts";
import { jobFileText, type NewJobSource, requirementsText } from "../core/jobs/write-job-file.ts";
import type { JsonObject } from "../core/json.ts";
import { mintRunId, RUN_ID_BYTES } from "../core/runs/run-id.ts";
import { codeFiles, textFile } from "./code-files.ts";
import { defaultScript } from "./default-script.ts";
import { projectOf } from "./project.ts";
import type { Session } from "./session.ts";
import { splitWords } from "./split-words.ts";

/** What may be said of a job; the words are those of `slipway job create`. */
export interface JobDraftOptions {
  readonly project?: string;
  readonly name?: string;
  readonly alias?: readonly string[];
  readonly description?: string;
  readonly entryPoint?: string;
  readonly ref?: string;
  readonly runtime?: string;
  readonly baseImage?: string;
  readonly buildContext?: string;
  readonly dockerfile?: string;
  readonly schema?: string;
}

export interface MadeJob extends WrittenVersion {
  /** `ENTITY/PROJECT/NAME:vN` */
  readonly path: string;
  readonly aliases: readonly string[];
  /** The version was there, and has another description now. */
  readonly described: boolean;
}

/** A job to be written, without what all kinds have in common. */
interface Draft {
  readonly name: string;
  readonly source: NewJobSource;
  /** Text of the code's requirements.txt. */
  readonly requirements?: string;
  /** Beside those that were asked for. */
  readonly alias?: string | undefined;
}

/** A job of a prebuilt image. */
export async function makeImageJob(session: Session, image: string, options: JobDraftOptions): Promise<MadeJob> {
  const checked = await check(options);
  const { name, tag } = imageJobName(image);
  const entryPoint = options.entryPoint === undefined ? undefined : splitWords(options.entryPoint, "--entry-point");
  return makeJob(session, checked, async () => ({
    name: nameOf(options, name),
    source: { kind: "image", image, entryPoint },
    // v3 is what a version is called by its number.
    alias: tag !== undefined && /^v\d+$/.test(tag) ? undefined : tag,
  }));
}

/** A job of a directory of code, which becomes an artifact of its own. */
export async function makeCodeJob(session: Session, directory: string, options: JobDraftOptions): Promise<MadeJob> {
  const checked = await check(options);
  const files = await codeFiles(directory);
  const entryPoint =
    options.entryPoint === undefined
      ? ["python3", await defaultScript(join(directory, options.buildContext ?? ""))]
      : splitWords(options.entryPoint, "--entry-point");
  // The client takes the last word, which may be an argument.
  const program = entryPoint.find((word) => /\.(py|sh|ipynb)$/.test(word)) ?? entryPoint.at(-1) ?? "";
  const names = codeJobNames(join(directory, program));
  const requirements = (await readIfThere(join(directory, "requirements.txt"))) ?? "";
  return makeJob(session, checked, async (target) => {
    const code = await write(session, {
      ...target,
      type: "code",
      name: options.name === undefined ? names.code : safeArtifactName(`code-${options.name}`),
      description: "Code artifact for job",
      metadata: { codePath: directory, entrypoint: program },
      aliases: ["latest"],
      files,
    });
    return {
      name: nameOf(options, names.job),
      source: { kind: "artifact", artifactId: code.id, entryPoint, ...buildOf(options) },
      requirements,
    };
  });
}

/** A job of the commit at which a branch or tag of a git repository is now. */
export async function makeRepoJob(session: Session, remote: string, options: JobDraftOptions): Promise<MadeJob> {
  const checked = await check(options);
  const problem = gitRemoteProblem(remote);
  if (problem !== undefined) throw new SlipwayError("GIT_REMOTE_INVALID", { values: { problem } });
  if (options.entryPoint === undefined)
    throw usage('a git repository needs an entry point, for instance -E "python3 train.py"', "--entry-point");
  const entryPoint = splitWords(options.entryPoint, "--entry-point");
  const { findCommit } = await import("../image/git-source.ts");
  const commit = await findCommit(remote, options.ref ?? "HEAD", { timeoutMs: 60_000 });
  return makeJob(session, checked, async () => ({
    name: nameOf(options, repoJobName(remote)),
    source: { kind: "repo", remote, commit, entryPoint, ...buildOf(options) },
  }));
}

interface Checked {
  readonly options: JobDraftOptions;
  /** Empty where none was given. */
  readonly runtime: string;
  readonly schema: JsonObject | undefined;
}

/** What was given is checked before the first thing is asked for or made. */
async function check(options: JobDraftOptions): Promise<Checked> {
  nameOf(options, "");
  buildOf(options);
  const number = options.alias?.find((alias) => /^v\d+$/.test(alias));
  if (number !== undefined) throw usage(`--alias ${number} is what a version is called by its number`, "--alias");
  const schema = options.schema === undefined ? undefined : await schemaOf(options.schema);
  return { options, runtime: runtimeOf(options), schema };
}

async function makeJob(
  session: Session,
  { options, runtime, schema }: Checked,
  draft: (target: Target) => Promise<Draft>,
): Promise<MadeJob> {
  const place = { entity: await session.entity(), project: projectOf(session, options.project) };
  await session.client.request(EnsureProjectDocument, { entityName: place.entity, name: place.project });
  return withHiddenRun(session, place, async (target) => {
    const { name, source, requirements = "", alias } = await draft(target);
    const aliases = [...new Set([...(options.alias ?? []), ...(alias === undefined ? [] : [alias]), "latest"])];
    const job = await write(session, {
      ...target,
      type: JOB_TYPE,
      name,
      ...(options.description === undefined ? {} : { description: options.description }),
      // The client's own words: a job whose inputs are not known yet is told so by its first run.
      metadata: schema === undefined ? { _partial: true } : { input_schemas: { "@wandb.config": schema } },
      aliases,
      files: [
        textFile(JOB_FILE, jobFileText(source, runtime)),
        textFile(JOB_REQUIREMENTS_FILE, requirementsText(requirements)),
      ],
    });
    // With other inputs it is another version; what is said of it may be said anew.
    const described = !job.created && options.description !== undefined;
    if (described)
      await session.client.request(UpdateArtifactVersionDocument, {
        input: { artifactID: job.id, description: options.description },
      });
    return { ...job, path: jobPath({ ...place, name, alias: `v${job.versionIndex}` }), aliases, described };
  });
}

interface Place {
  readonly entity: string;
  readonly project: string;
}

type Target = Place & { readonly runName: string };

/**
 * An artifact is logged by a run; servers of the wandb client's protocol may refuse one that is not. As the client itself does
 * (wandb/sdk/launch/create_job.py), a run is made for the job and removed when the job is there.
 */
async function withHiddenRun<T>(session: Session, place: Place, work: (target: Target) => Promise<T>): Promise<T> {
  const runName = mintRunId(randomBytes(RUN_ID_BYTES));
  const { upsertBucket } = await session.client.request(BeginHiddenRunDocument, {
    input: { entityName: place.entity, modelName: place.project, name: runName, jobType: "cli_create_job" },
  });
  const id = upsertBucket?.bucket?.id;
  try {
    return await work({ ...place, runName });
  } finally {
    if (id !== undefined) await session.client.request(RemoveHiddenRunDocument, { id });
  }
}

function write(session: Session, artifact: NewArtifact) {
  const deps: ArtifactWriterDeps = {
    request: session.client.request,
    fetch: globalThis.fetch,
    clock: systemClock,
    random: Math.random,
    md5: (text) => createHash("md5").update(text).digest(),
    newId: randomUUID,
  };
  return writeArtifact(deps, artifact);
}

function buildOf({ baseImage, buildContext, dockerfile }: JobDraftOptions) {
  const leaves = (path: string | undefined) =>
    path !== undefined && (path.startsWith("/") || path.split("/").includes(".."));
  if (leaves(buildContext))
    throw usage("--build-context is a directory inside the code, such as docker/train", "--build-context");
  if (leaves(dockerfile))
    throw usage("--dockerfile is a file inside the code, such as docker/train.Dockerfile", "--dockerfile");
  return { baseImage, buildContext, dockerfile };
}

function nameOf({ name }: JobDraftOptions, otherwise: string): string {
  if (name === undefined) return otherwise;
  const safe = safeArtifactName(name);
  if (name === safe && name !== "") return name;
  throw usage(
    `a job's name has 1 to 128 letters, digits, and any of _ - and .; not ${JSON.stringify(name)}${safe === "" ? "" : `; did you mean ${safe}?`}`,
    "--name",
  );
}

function runtimeOf({ runtime }: JobDraftOptions): string {
  if (runtime === undefined || /^3\.\d+$/.test(runtime)) return runtime ?? "";
  throw usage(`--runtime is a minor version of Python 3 such as 3.11, not ${runtime}`, "--runtime");
}

async function schemaOf(file: string): Promise<JsonObject> {
  const text = await readIfThere(file);
  if (text === undefined) throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where: "--schema" });
  return readInputSchemaFile(text, file);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function usage(problem: string, where: string): SlipwayError {
  return new SlipwayError("USAGE", { values: { problem }, where });
}
