/** An artifact's name may have letters, digits and _ - . alone, 128 at most (wandb/util.py, make_artifact_name_safe). */
export function safeArtifactName(name: string): string {
  // One _ for each character as people count them, as Python does.
  const safe = name.replace(/[^a-zA-Z0-9_\-.]/gu, "_");
  return safe.length <= 128 ? safe : `${safe.slice(0, 63)}..${safe.slice(-63)}`;
}

/** The name that the wandb client gives to a job of an image, and the tag, which becomes an alias. */
export function imageJobName(image: string): { readonly name: string; readonly tag: string | undefined } {
  const last = image.includes(":") ? image.slice(image.lastIndexOf(":") + 1) : "";
  const tag = /^[a-zA-Z0-9_\-.]+$/.test(last) ? last : undefined;
  const bare = tag === undefined ? image : image.replaceAll(`:${tag}`, "");
  return { name: safeArtifactName(`job-${bare}`), tag };
}

/** The names that it gives to a job of code, and to the code: after the path of what is run, relative to where one is. */
export function codeJobNames(path: string): { readonly job: string; readonly code: string } {
  const clean = path.replaceAll("./", "").replace(/^\//, "").replace(/\/$/, "");
  const safe = safeArtifactName(clean);
  return { job: safeArtifactName(`job-${safe}`), code: safeArtifactName(`code-${safe}`) };
}

/** The name that it gives to a job of a git repository; at its end it has room for a program, which it leaves empty. */
export function repoJobName(remote: string): string {
  return safeArtifactName(`job-${remote}_`);
}

/** A job as people write it, NAME, PROJECT/NAME or ENTITY/PROJECT/NAME, each with :ALIAS or without. */
export interface JobAddress {
  readonly entity: string;
  readonly project: string;
  readonly name: string;
  /** `latest` where none was written. */
  readonly alias: string;
}

/** Reads a job's name; what it does not say is taken `from`. Undefined for what can't be one. */
export function jobAddress(
  text: string,
  from: { readonly entity: string; readonly project: string },
): JobAddress | undefined {
  const match = /^(?:(?:([^/:]+)\/)?([^/:]+)\/)?([^/:]+)(?::([^/:]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, entity = from.entity, project = from.project, name = "", alias = "latest"] = match;
  return { entity, project, name, alias };
}

/** `ENTITY/PROJECT/NAME:ALIAS` */
export const jobPath = ({ entity, project, name, alias }: JobAddress): string =>
  `${entity}/${project}/${name}:${alias}`;
