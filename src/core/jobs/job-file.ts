import { z } from "zod";
import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { COMMIT, gitRemoteProblem } from "../git-remote.ts";
import type { JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";

/** The type that an artifact has if it is a job. */
export const JOB_TYPE = "job";
/** The files of a job artifact (wandb/sdk/internal/job_builder.py). */
export const JOB_FILE = "wandb-job.json";
export const JOB_REQUIREMENTS_FILE = "requirements.frozen.txt";
export const JOB_PATCH_FILE = "diff.patch";
/** A job file is small; what is longer is none. */
export const JOB_FILE_MAX_BYTES = 1024 * 1024;

/** Where the files of a job's code are. */
export type JobCode =
  /** `wandb-artifact://_id/ID` or `wandb-artifact://ENTITY/PROJECT/NAME:ALIAS` */
  { readonly artifact: string } | { readonly remote: string; readonly commit: string };

/** What wandb-job.json says. */
export type JobSource =
  | {
      readonly kind: "image";
      readonly image: string;
      /** Undefined: the image's own. */
      readonly entryPoint: readonly string[] | undefined;
    }
  | {
      readonly kind: "code";
      readonly code: JobCode;
      readonly entryPoint: readonly string[];
      /** The last word of the entry point is a notebook, which becomes a script. */
      readonly notebook: boolean;
      readonly baseImage: string | undefined;
      /** Directory inside the code that is built, its entry point relative to it. */
      readonly buildContext: string | undefined;
      readonly dockerfile: string | undefined;
    };

export interface JobFile {
  readonly source: JobSource;
  /** The Python that the code ran with: `3.11`. */
  readonly runtime: string | undefined;
  /** The client's types of the config that the job's run had, as its own JSON (wandb/sdk/data_types/_dtypes.py). */
  readonly inputTypes: JsonValue;
}

const text = z.string({ error: "must be a text" }).min(1, { error: "must not be empty" });
const words = z.array(z.string({ error: "must be a text" }), { error: "must be a list of words" });
const inside = text.refine((path) => !path.startsWith("/") && !path.split("/").includes(".."), {
  error: "must be a path inside the code",
});

const image = z.looseObject({ image: text.max(255), entrypoint: words.nullish() }, { error: "must be an object" });
const built = {
  entrypoint: words.min(1, { error: "must name what to run" }),
  notebook: z.boolean({ error: "must be true or false" }).nullish(),
  base_image: text.nullish(),
  build_context: inside.nullish(),
  dockerfile: inside.nullish(),
};
const artifact = z.looseObject(
  { ...built, artifact: text.startsWith("wandb-artifact://", { error: "must begin with wandb-artifact://" }) },
  { error: "must be an object" },
);
const repo = z.looseObject(
  {
    ...built,
    git: z.looseObject(
      {
        remote: text.refine((remote) => gitRemoteProblem(remote) === undefined, {
          error: ({ input }) => gitRemoteProblem(String(input)) ?? "",
        }),
        commit: text.regex(COMMIT, { error: "must be a whole commit id: 40 hexadecimal digits" }),
      },
      { error: "must be an object" },
    ),
  },
  { error: "must be an object" },
);
const anything = { input_types: z.json().nullish(), runtime: z.string().nullish() };
const schema = z.discriminatedUnion(
  "source_type",
  [
    z.looseObject({ source_type: z.literal("image"), source: image, ...anything }),
    z.looseObject({ source_type: z.literal("artifact"), source: artifact, ...anything }),
    z.looseObject({ source_type: z.literal("repo"), source: repo, ...anything }),
  ],
  { error: "must be image, artifact or repo" },
);

/** Reads the text of a wandb-job.json. Throws JOB_INVALID with every problem and its place; `job` names it there. */
export function parseJobFile(content: string, job: string): JobFile {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw invalid(job, [{ path: JOB_FILE, message: `The file is not JSON: ${(error as Error).message}` }], error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(job, parsed.error.issues.map(problemOf));
  const { data } = parsed;
  const shared = { runtime: pythonVersion(data.runtime), inputTypes: (data.input_types ?? null) as JsonValue };
  if (data.source_type === "image") {
    const entryPoint = data.source.entrypoint?.length ? data.source.entrypoint : undefined;
    return { ...shared, source: { kind: "image", image: data.source.image, entryPoint } };
  }
  const { source } = data;
  return {
    ...shared,
    source: {
      kind: "code",
      code: data.source_type === "artifact" ? { artifact: data.source.artifact } : gitOf(data.source.git),
      entryPoint: source.entrypoint.map(programName),
      notebook: source.notebook ?? false,
      baseImage: source.base_image ?? undefined,
      buildContext: source.build_context ?? undefined,
      dockerfile: source.dockerfile ?? undefined,
    },
  };
}

const gitOf = ({ remote, commit }: { remote: string; commit: string }): JobCode => ({ remote, commit });

/** `CPython 3.11.7`, `3.11.7` and `3.11` are all Python 3.11. */
function pythonVersion(runtime: string | null | undefined): string | undefined {
  return /\d+\.\d+/.exec(runtime ?? "")?.[0];
}

/** wandb-core 0.31.0 writes the program of a run's own job as `pythonCPython 3.11`, which no image has. */
function programName(word: string, at: number): string {
  return at === 0 && /^pythonCPython\b/.test(word) ? "python3" : word;
}

function problemOf(issue: z.core.$ZodIssue): Problem {
  const path = issue.path.reduce<string>(
    (at, step) => (typeof step === "number" ? elementPath(at, step) : memberPath(at, String(step))),
    "",
  );
  return { path: path || JOB_FILE, message: `${path || "The file"} ${issue.message}` };
}

function invalid(job: string, problems: readonly Problem[], cause?: unknown): SlipwayError {
  return new SlipwayError("JOB_INVALID", {
    values: { job, count: problems.length },
    where: problems[0]!.path,
    problems,
    ...(cause === undefined ? {} : { cause }),
  });
}
