import type { JobCode, JobFile } from "./job-file.ts";

/** The code of a job, which the agent brings and the builder makes an image of. */
export interface JobCodeSource {
  /** As the item names it, for messages. */
  readonly job: string;
  /** The id of the job's artifact, which holds its requirements and, for code of git, what was changed after the commit. */
  readonly jobArtifactId: string;
  readonly from: JobCode;
  /** An argument list; its last word is a script, also if the job has a notebook. */
  readonly entry_point: readonly string[];
  /** Base image, or `host`; the agent's builder.base where absent. */
  readonly base?: string;
  /** Path inside the code of the notebook that becomes the entry point's script. */
  readonly notebook?: string;
  /** Directory inside the code that is built; all of it where absent. */
  readonly buildContext?: string;
  /** Path inside what is built of the Dockerfile that makes the image. */
  readonly dockerfile?: string;
}

/** What an item's job turned out to be. */
export type ResolvedJob =
  | { readonly image: string; readonly entryPoint: readonly string[] | undefined }
  | { readonly code: JobCodeSource };

/** What the agent makes of a job file. */
export function resolveJobFile(job: string, jobArtifactId: string, { source }: JobFile): ResolvedJob {
  if (source.kind === "image") return { image: source.image, entryPoint: source.entryPoint };
  const script = source.entryPoint.at(-1) ?? "";
  const notebook = source.notebook || script.endsWith(".ipynb") ? script : undefined;
  const words = notebook === undefined ? source.entryPoint : [...source.entryPoint.slice(0, -1), scriptOf(notebook)];
  return {
    code: {
      job,
      jobArtifactId,
      from: source.code,
      entry_point: words,
      ...(source.baseImage === undefined ? {} : { base: source.baseImage }),
      ...(notebook === undefined ? {} : { notebook }),
      ...(source.buildContext === undefined ? {} : { buildContext: source.buildContext }),
      ...(source.dockerfile === undefined ? {} : { dockerfile: source.dockerfile }),
    },
  };
}

/** The name of the script that a notebook becomes. */
export const scriptOf = (notebook: string): string => notebook.replace(/\.ipynb$/, ".py");
