import colors from "picocolors";
import {
  CodeOfJobDocument,
  type JobArtifactFragment,
  JobDocument,
  JobNamesDocument,
  JobsDocument,
  TypedDocumentString,
} from "../client/generated/operations.ts";
import { artifactReference } from "../core/artifacts/declared-artifacts.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { JOB_FILE, JOB_FILE_MAX_BYTES, JOB_TYPE, type JobFile, parseJobFile } from "../core/jobs/job-file.ts";
import { type JobInput, jobInputs } from "../core/jobs/job-inputs.ts";
import { type JobAddress, jobAddress, jobPath } from "../core/jobs/job-names.ts";
import type { JsonValue } from "../core/json.ts";
import { parseLooseJson } from "../core/loose-json.ts";
import { nearest } from "../core/nearest.ts";
import { formatSize } from "../image/digest.ts";
import { printTable } from "./output/table.ts";
import { ago } from "./output/time.ts";
import { projectOf } from "./project.ts";
import type { Session } from "./session.ts";

interface ViewOptions {
  readonly project?: string;
  readonly json?: boolean;
}

/** How many wandb-job.json are fetched at once for a list. */
const READ_AT_ONCE = 8;

export async function listJobs(session: Session, options: ViewOptions): Promise<void> {
  const entityName = await session.entity();
  const projectName = projectOf(session, options.project);
  const found: { name: string; version: string; versions: number; artifact: JobArtifactFragment }[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof pageOfJobs>> = await pageOfJobs(session, entityName, projectName, after);
    if (page === undefined) break;
    for (const { node } of page.edges) {
      const newest = node.artifacts?.edges[0];
      const latest = node.artifactMembership;
      // The last version of a name may have been deleted.
      const artifact = latest?.artifact ?? newest?.node;
      if (!artifact) continue;
      const version = latest?.artifact ? `v${latest.versionIndex}` : (newest?.version ?? "");
      found.push({ name: node.name, version, versions: node.artifacts?.totalCount ?? 0, artifact });
    }
    after = page.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? null) : null;
  } while (after !== null);

  const jobs: { name: string; version: string; aliases: string[]; [more: string]: unknown }[] = [];
  const sources: string[] = [];
  for (let at = 0; at < found.length; at += READ_AT_ONCE) {
    const some = found.slice(at, at + READ_AT_ONCE);
    const files = await Promise.all(some.map(({ name, artifact }) => readable(jobFileOf(session, name, artifact))));
    for (const [index, { name, version, versions, artifact }] of some.entries()) {
      const file = files[index];
      sources.push(file === undefined ? "not readable" : sourceLine(file));
      jobs.push({
        name,
        version,
        versions,
        aliases: artifact.aliases.map(({ alias }) => alias),
        source: file?.source ?? null,
        createdAt: artifact.createdAt,
        createdBy: artifact.author ?? null,
        description: artifact.description ?? null,
      });
    }
  }
  if (options.json) return console.log(JSON.stringify(jobs));
  if (jobs.length === 0) {
    console.log(
      `No jobs in ${entityName}/${projectName}. Make one: slipway job create code DIRECTORY -p ${projectName}`,
    );
    return;
  }
  const now = Date.now();
  printTable(
    ["job", "version", "aliases", "runs", "created", "by"],
    jobs.map(({ name, version, aliases }, index) => [
      name,
      version,
      aliases.join(", ") || "-",
      sources[index] ?? "-",
      ago(found[index]?.artifact.createdAt, now),
      found[index]?.artifact.author ?? "-",
    ]),
  );
}

export async function showJob(session: Session, text: string, options: ViewOptions): Promise<void> {
  const from = { entity: await session.entity(), project: projectOf(session, options.project) };
  const address = jobAddress(text, from);
  if (address === undefined) throw notFound(text);
  const { entity: entityName, project: projectName, name, alias } = address;
  const { project } = await session.client.request(await known(session, JobDocument), {
    entityName,
    projectName,
    name: `${name}:${alias}`,
  });
  const member = project?.artifactCollectionMembership;
  const artifact = member?.artifact;
  if (!artifact || artifact.artifactType.name !== JOB_TYPE) throw await missing(session, address, project != null);
  const path = jobPath({ ...address, alias: `v${member.versionIndex}` });
  const file = await jobFileOf(session, path, artifact);
  const metadata = (parseLooseJson(artifact.metadata ?? "null") ?? null) as JsonValue;
  const inputs = jobInputs(metadata, file.inputTypes);
  const code = await codeOf(session, file, from);
  const versions = (member.artifactCollection?.artifacts?.edges ?? []).map(({ version, node }) => ({
    version,
    aliases: node.aliases.map((one) => one.alias),
    createdAt: node.createdAt,
    createdBy: node.author ?? null,
    description: node.description ?? null,
  }));
  const launch = `slipway launch -j ${path} -q QUEUE${exampleConfig(inputs)}`;
  if (options.json) {
    const { source, runtime } = file;
    const aliases = artifact.aliases.map((one) => one.alias);
    const about = {
      createdAt: artifact.createdAt,
      createdBy: artifact.author ?? null,
      description: artifact.description,
    };
    const job = { job: path, id: artifact.id, aliases, source, runtime: runtime ?? null, code: code ?? null };
    return console.log(JSON.stringify({ ...job, inputs, metadata, versions, ...about, launch }));
  }
  const aliases = artifact.aliases.map((one) => one.alias).join(", ");
  console.log(
    `${colors.bold(path)}  ${aliases}  created ${ago(artifact.createdAt, Date.now())} by ${artifact.author ?? "-"}`,
  );
  if (artifact.description) console.log(artifact.description);
  for (const [label, value] of facts(file, code)) console.log(`${colors.dim(label.padEnd(14))}${value}`);
  printInputs(inputs);
  const total = member.artifactCollection?.artifacts?.totalCount ?? versions.length;
  console.log(`\n${total} ${total === 1 ? "version" : "versions"}`);
  printTable(
    ["version", "aliases", "created", "by", "description"],
    versions.map((one) => [
      one.version,
      one.aliases.join(", ") || "-",
      ago(one.createdAt, Date.now()),
      one.createdBy ?? "-",
      one.description ?? "",
    ]),
  );
  console.log(colors.dim(`\n${launch}`));
}

/** The document as the server knows it: who made a version is told by a Slipway server alone. */
async function known<R, V>(session: Session, document: TypedDocumentString<R, V>): Promise<TypedDocumentString<R, V>> {
  if (!(await session.plain())) return document;
  return new TypedDocumentString<R, V>(document.toString().replaceAll(/^\s*author\n/gm, ""));
}

function printInputs(inputs: readonly JobInput[]): void {
  if (inputs.length === 0) {
    console.log(colors.dim("inputs        not declared: any run config is taken"));
    return;
  }
  console.log("");
  printTable(
    ["input", "type", "bounds", "default", "description"],
    inputs.map((input) => [
      input.file === undefined ? input.path : `${input.file}: ${input.path}`,
      input.type,
      input.bounds,
      input.required ? "required" : input.default === undefined ? "-" : JSON.stringify(input.default),
      input.description,
    ]),
  );
}

/** ` -c '{"lr": ...}'` with the inputs that have to be given, to be filled in; nothing where there are none. */
function exampleConfig(inputs: readonly JobInput[]): string {
  const wanted = inputs.filter((input) => input.required && input.file === undefined && /^[\w-]+$/.test(input.path));
  return wanted.length === 0 ? "" : ` -c '{${wanted.map(({ path }) => `"${path}": ...`).join(", ")}}'`;
}

async function pageOfJobs(session: Session, entityName: string, projectName: string, after: string | null) {
  const { project } = await session.client.request(await known(session, JobsDocument), {
    entityName,
    projectName,
    after,
  });
  if (project == null)
    throw new SlipwayError("PROJECT_NOT_FOUND", {
      values: { name: projectName, entity: entityName },
      where: "--project",
    });
  return project.artifactType?.artifactCollections ?? undefined;
}

async function jobFileOf(session: Session, job: string, artifact: JobArtifactFragment): Promise<JobFile> {
  const node = artifact.files?.edges.find((edge) => edge.node.name === JOB_FILE)?.node;
  if (node === undefined || node.sizeBytes > JOB_FILE_MAX_BYTES) return parseJobFile("", job);
  const { name: path, sizeBytes: size, directUrl: url } = node;
  const stream = await session.client.artifacts.open({ path, size, digest: "", reference: undefined, url });
  return parseJobFile(await new Response(stream).text(), job);
}

/** Undefined for a job that can't be run: a list shows the others all the same. */
async function readable(reading: Promise<JobFile>): Promise<JobFile | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof SlipwayError && error.code === "JOB_INVALID") return undefined;
    throw error;
  }
}

/** Where a code job's files are: the name of the artifact, or why there is none. */
async function codeOf(session: Session, { source }: JobFile, from: { entity: string; project: string }) {
  if (source.kind !== "code" || !("artifact" in source.code)) return undefined;
  const reference = artifactReference(source.code.artifact, from);
  if (reference === undefined || !("id" in reference)) return { name: source.code.artifact, files: null, bytes: null };
  const { artifact } = await session.client.request(CodeOfJobDocument, { id: reference.id });
  if (artifact?.state !== "COMMITTED") return { name: "gone: its artifact was deleted", files: null, bytes: null };
  const { name, project } = artifact.artifactSequence;
  const path = `${project?.entityName}/${project?.name}/${name}:v${artifact.versionIndex}`;
  return { name: path, files: artifact.fileCount, bytes: artifact.size };
}

function sourceLine({ source }: JobFile): string {
  if (source.kind === "image") return source.image;
  const words = source.entryPoint.join(" ");
  if ("artifact" in source.code) return words;
  return `${words} of ${source.code.remote} ${source.code.commit.slice(0, 12)}`;
}

function facts(
  { source, runtime }: JobFile,
  code: { name: string; files: number | null; bytes: number | null } | undefined,
): [string, string][] {
  const rows: [string, string | undefined][] = [];
  if (source.kind === "image") {
    rows.push(["image", source.image], ["entry point", source.entryPoint?.join(" ") ?? "the image's own"]);
  } else {
    if ("artifact" in source.code)
      rows.push(["code", code?.files == null ? code?.name : `${code.name} (${amount(code)})`]);
    else rows.push(["git", source.code.remote], ["commit", source.code.commit]);
    rows.push(["entry point", source.entryPoint.join(" ")]);
    rows.push(["base image", source.baseImage ?? "the agent's builder.base"]);
    rows.push(["build context", source.buildContext], ["dockerfile", source.dockerfile]);
  }
  rows.push(["python", runtime]);
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}

const amount = ({ files, bytes }: { files: number | null; bytes: number | null }) =>
  `${files} ${files === 1 ? "file" : "files"}, ${formatSize(bytes ?? 0)}`;

async function missing(session: Session, { entity, project, name, alias }: JobAddress, there: boolean) {
  if (!there) return notFound(`${entity}/${project}/${name}`, `There is no project ${project} of ${entity}.`);
  const found = await session.client.request(JobNamesDocument, { entityName: entity, projectName: project });
  const names = (found.project?.artifactType?.artifactCollections?.edges ?? []).map(({ node }) => node.name);
  const path = jobPath({ entity, project, name, alias });
  if (names.includes(name)) return notFound(path, `${name} has no version ${alias}; see slipway job show ${name}.`);
  const near = nearest(name, names);
  return notFound(path, near === undefined ? undefined : `Did you mean ${near}?`);
}

function notFound(job: string, hint?: string): SlipwayError {
  return new SlipwayError("JOB_NOT_FOUND", { values: { job }, where: "job", ...(hint === undefined ? {} : { hint }) });
}
