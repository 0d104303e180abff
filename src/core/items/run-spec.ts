import { z } from "zod";
import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { COMMIT, gitRemoteProblem } from "../git-remote.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { runIdProblem } from "../runs/run-id.ts";

/**
 * What to run, as the wandb client writes it, plus `code` and `repo` (ours: a directory of code, or a commit of a git
 * repository, without a job artifact).
 * The server completes it at push: author, run_id, resource, resource_args.
 */
export interface RunSpec {
  readonly entity: string;
  readonly project: string;
  readonly name?: string;
  readonly author?: string;
  readonly run_id?: string;
  readonly sweep_id?: string;
  /** `sagemaker`; null or absent until the server fills it in from the queue. */
  readonly resource?: string | null;
  /** `{sagemaker: <CreateTrainingJob body>}` */
  readonly resource_args?: { readonly [resource: string]: JsonObject } | null;
  readonly docker?: { readonly docker_image?: string };
  readonly job?: string | null;
  readonly uri?: string | null;
  readonly git?: JsonObject;
  readonly overrides?: RunSpecOverrides;
  readonly code?: CodeSource;
  readonly repo?: RepoSource;
  /** How often the wandb agent took the item up again. */
  readonly _resume_count?: number;
}

export interface RunSpecOverrides {
  /** An argument list, never a shell line. */
  readonly entry_point?: readonly string[];
  readonly args?: readonly string[];
  /** Path of the Dockerfile that makes the image, inside the code that is built; wins over the job's. */
  readonly dockerfile?: string;
  readonly run_config?: JsonObject;
  /** Contents of config files of the job, by path. */
  readonly files?: JsonObject;
  /** Artifacts that replace those the code names. */
  readonly artifacts?: JsonObject;
}

/** A directory of code, packed by the client and kept by the server under its digest. */
export interface CodeSource {
  /** `sha256:<64 hex>` of the archive. */
  readonly digest: string;
  /** Bytes of the archive (tar.gz). */
  readonly size: number;
  /** For instance `["python3", "train.py"]`; overrides.entry_point wins. Empty: that of the image its Dockerfile makes. */
  readonly entry_point: readonly string[];
  /** Path inside the code of the Dockerfile that makes the image; absent: `Dockerfile.wandb` beside the entry point, if there is one. */
  readonly dockerfile?: string;
  /** Path inside the archive, if it has one: `requirements.txt`. */
  readonly requirements?: string;
  /** Base image, or `host`; the agent's builder.base where absent. */
  readonly base?: string;
}

/** One commit of a git repository, which the agent fetches. */
export interface RepoSource {
  /** `https://HOST/PATH`, `ssh://USER@HOST/PATH` or `USER@HOST:PATH`, without credentials. */
  readonly remote: string;
  /** A whole commit id: a branch may be elsewhere tomorrow. */
  readonly commit: string;
  /** As in CodeSource. */
  readonly entry_point: readonly string[];
  /** As in CodeSource. */
  readonly dockerfile?: string;
  /** Path inside the repository; `requirements.txt`, if there is one, where absent. */
  readonly requirements?: string;
  /** As in CodeSource. */
  readonly base?: string;
}

const text = z.string({ error: "must be a text" });
const filled = text.min(1, { error: "must not be empty" });
const dockerfile = filled.refine((path) => !path.startsWith("/") && !path.split("/").includes(".."), {
  error: "must be a path inside the code",
});
const object = z.record(z.string(), z.json(), { error: "must be an object" });
const words = z.array(z.string({ error: "must be a text" }), {
  error: 'must be a list of words, for instance ["python3", "train.py"]',
});

/** Only an image that a Dockerfile makes has an entry point of its own. */
function runsSomething(code: { readonly entry_point: readonly string[]; readonly dockerfile?: unknown }): boolean {
  return code.entry_point.length > 0 || (code.dockerfile !== undefined && code.dockerfile !== null);
}

/** Keys that we do not know stay: clients of other versions write more than we read. */
const schema = z.looseObject(
  {
    entity: filled.nullish(),
    project: filled.nullish(),
    name: text.max(512, { error: "must have at most 512 characters" }).nullish(),
    author: text.nullish(),
    run_id: text.nullish(),
    sweep_id: text.nullish(),
    resource: filled.nullish(),
    resource_args: z.record(z.string(), object, { error: "must be an object with a body for each resource" }).nullish(),
    docker: z
      .looseObject(
        { docker_image: filled.max(255, { error: "must have at most 255 characters" }).nullish() },
        { error: "must be an object" },
      )
      .nullish(),
    job: filled.nullish(),
    uri: filled.nullish(),
    git: object.nullish(),
    overrides: z
      .looseObject(
        {
          entry_point: words.nullish(),
          args: words.nullish(),
          dockerfile: dockerfile.nullish(),
          run_config: object.nullish(),
          files: object.nullish(),
          artifacts: object.nullish(),
        },
        { error: "must be an object" },
      )
      .nullish(),
    code: z
      .looseObject(
        {
          digest: text.regex(/^sha256:[0-9a-f]{64}$/, { error: "must be sha256: and 64 hexadecimal digits" }),
          size: z.int({ error: "must be a number of bytes" }).min(0),
          entry_point: words,
          dockerfile: dockerfile.nullish(),
          requirements: filled.nullish(),
          base: filled.nullish(),
        },
        { error: "must be an object" },
      )
      .refine(runsSomething, { error: "must name what to run", path: ["entry_point"] })
      .nullish(),
    repo: z
      .looseObject(
        {
          remote: text
            .max(400, { error: "must have at most 400 characters" })
            .refine((remote) => gitRemoteProblem(remote) === undefined, {
              error: ({ input }) => gitRemoteProblem(String(input)) ?? "",
            }),
          commit: text.regex(COMMIT, { error: "must be a whole commit id: 40 hexadecimal digits" }),
          entry_point: words,
          dockerfile: dockerfile.nullish(),
          requirements: filled.nullish(),
          base: filled.nullish(),
        },
        { error: "must be an object" },
      )
      .refine(runsSomething, { error: "must name what to run", path: ["entry_point"] })
      .nullish(),
    _resume_count: z.int().min(0).nullish(),
  },
  { error: "The run spec must be an object" },
);

/** Keys whose null means something, or is what the wandb client always sends. */
const KEEP_NULL = new Set(["resource"]);

/**
 * Reads a run spec from the wire: JSON text or the value of it. A spec without entity or project takes those of the queue.
 * Throws RUN_SPEC_INVALID with every problem and its JSON path. Whether it can be run is completeRunSpec's matter.
 */
export function parseRunSpec(
  input: unknown,
  defaults: { readonly entity?: string; readonly project?: string } = {},
): RunSpec {
  let value = input;
  if (typeof input === "string") {
    try {
      value = JSON.parse(input);
    } catch (error) {
      throw invalid([
        { path: "", message: `The run spec is not JSON: ${error instanceof Error ? error.message : String(error)}` },
      ]);
    }
  }
  const parsed = schema.safeParse(value);
  const problems: Problem[] = parsed.success ? [] : parsed.error.issues.map(problemOf);
  const spec = parsed.success ? (withoutNulls(parsed.data) as Record<string, JsonValue>) : {};
  if (parsed.success) {
    spec.entity ??= defaults.entity ?? "";
    spec.project ??= defaults.project ?? "";
    for (const key of ["entity", "project"])
      if (spec[key] === "") problems.push({ path: key, message: `${key} is missing` });
    if (typeof spec.run_id === "string") {
      const problem = runIdProblem(spec.run_id);
      if (problem !== undefined) problems.push({ path: "run_id", message: problem });
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return spec as unknown as RunSpec;
}

/** A spec's sources of what to run; a runnable one has exactly one, unless its queue fixes the image. */
export function sourcesOf(spec: RunSpec): ("docker" | "job" | "code" | "repo")[] {
  return [
    ...(spec.docker?.docker_image ? (["docker"] as const) : []),
    ...(spec.job ? (["job"] as const) : []),
    ...(spec.code ? (["code"] as const) : []),
    ...(spec.repo ? (["repo"] as const) : []),
  ];
}

const SECRET = /(^_wandb_api_key$)|(key|token|secret|passwor?d|passwd|credential|auth)s?($|_)/i;
/** Stands where a secret is not shown. */
export const MASK = "********";
/** Inside these, the values are a person's own and may be anything. */
const MAPS = new Set(["Environment", "HyperParameters", "run_config"]);

/** A copy of a spec or request whose secret values are masked: by their names in the maps that people fill, and `_wandb_api_key` anywhere. */
export function maskSecrets<T>(value: T): T {
  return mask(value, false) as T;
}

function mask(value: unknown, inMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => mask(item, inMap));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const secret = key === "_wandb_api_key" || (inMap && SECRET.test(key.replace(/([a-z])([A-Z])/g, "$1_$2")));
      if (secret && (typeof item === "string" || typeof item === "number")) return [key, MASK];
      return [key, mask(item, inMap || MAPS.has(key))];
    }),
  );
}

function problemOf(issue: z.core.$ZodIssue): Problem {
  const path = issue.path.reduce<string>(
    (at, step) => (typeof step === "number" ? elementPath(at, step) : memberPath(at, String(step))),
    "",
  );
  return {
    path,
    message:
      path === "" ? issue.message : `${path} ${issue.message.startsWith("must") ? issue.message : "is not valid"}`,
  };
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  const nested = new Set(["docker", "overrides", "code", "repo"]);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => item !== undefined && (item !== null || KEEP_NULL.has(key)))
      .map(([key, item]) => [key, nested.has(key) ? withoutNulls(item as Record<string, unknown>) : item]),
  );
}

function invalid(problems: readonly Problem[]): SlipwayError {
  return new SlipwayError("RUN_SPEC_INVALID", {
    values: { count: problems.length },
    ...(problems[0]!.path === "" ? {} : { where: problems[0]!.path }),
    problems,
  });
}
