import { SlipwayError } from "../errors/slipway-error.ts";
import type { CodeSource, RepoSource, RunSpec } from "../items/run-spec.ts";
import type { JobCodeSource, ResolvedJob } from "../jobs/resolved-job.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { checkCreateTrainingJob, normaliseCreateTrainingJob } from "./create-training-job.ts";
import { launchEnvironment, RUN_ID_TAG } from "./launch-environment.ts";
import { fillMacros, type MacroValues } from "./macros.ts";
import { OWN_RESOURCE } from "./resources.ts";
import { trainingJobName } from "./training-job-name.ts";

/** What the agent makes an image of. */
export type BuildSource = CodeSource | RepoSource | JobCodeSource;

export interface PlanInput {
  readonly item: {
    readonly id: string;
    readonly runId: string;
    readonly attempt: number;
    readonly queueName: string;
    readonly queueEntityName: string;
  };
  /** Completed by the server: resource_args.sagemaker is the body. */
  readonly spec: RunSpec;
  /** Of a spec that names a job. */
  readonly job?: ResolvedJob;
  readonly agent: {
    /** Where the training code finds the server. The queue's own WANDB_BASE_URL wins. */
    readonly baseUrl: string;
    readonly secureMode?: boolean;
    /** The base of code that names none: an image, or `host`. */
    readonly builderBase?: string;
  };
}

export type ImageNeed =
  /** It must exist; nothing is built. */
  | { readonly kind: "prebuilt"; readonly uri: string }
  | {
      readonly kind: "build";
      readonly code: BuildSource;
      readonly base: string | undefined;
      /** Path inside the code of the Dockerfile that was named. */
      readonly dockerfile: string | undefined;
    }
  /** An algorithm of SageMaker's own (AlgorithmName). */
  | { readonly kind: "none" };

/** All that is decided about a job before anything is done. */
export interface SubmissionPlan {
  readonly itemId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly trainingJobName: string;
  readonly image: ImageNeed;
  /** The CreateTrainingJob body of queue and item, its macros not filled in yet; withImage makes the request of it. */
  readonly body: JsonObject;
  readonly macros: MacroValues;
  /** What Slipway adds to the body. */
  readonly added: {
    readonly entryPoint: readonly string[] | undefined;
    readonly arguments: readonly string[] | undefined;
    readonly environment: Readonly<Record<string, string>>;
    readonly tags: readonly JsonObject[];
  };
}

/** A complete CreateTrainingJob request. */
export interface CreateTrainingJobRequest extends JsonObject {
  readonly TrainingJobName: string;
  readonly AlgorithmSpecification: JsonObject;
  readonly Environment: { readonly [name: string]: string };
  readonly Tags: readonly JsonObject[];
}

/** Stands for the image while a plan is checked; as long as an ECR name with a digest is. */
const SOME_IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/some/image@sha256:${"0".repeat(64)}`;

/**
 * Decides how an item becomes a training job: which image it needs and the whole CreateTrainingJob request, with the environment and the tag
 * that the wandb agent sets. Pure: the same input gives the same plan on any agent, so a job that was submitted already is found again.
 * Throws RESOURCE_FOREIGN, RESOURCE_CONFIG_INVALID, IMAGE_FIXED_BY_QUEUE or OVERRIDE_LOCKED.
 */
export function planSubmission(input: PlanInput): SubmissionPlan {
  const { item, spec, agent } = input;
  if (spec.resource != null && spec.resource !== OWN_RESOURCE)
    throw new SlipwayError("RESOURCE_FOREIGN", { values: { resource: spec.resource }, where: "resource" });
  const overrides = spec.overrides ?? {};
  if (agent.secureMode) {
    const locked = [
      overrides.entry_point?.length ? "the entry point" : "",
      overrides.args?.length ? "the arguments" : "",
    ].filter(Boolean);
    if (locked.length > 0)
      throw new SlipwayError("OVERRIDE_LOCKED", { values: { what: locked.join(" and ") }, where: "overrides" });
  }
  const macros = macrosOf(item, spec);
  const body = normaliseCreateTrainingJob(spec.resource_args?.sagemaker ?? {});
  const image = imageNeed(input, objectAt(body, "AlgorithmSpecification"));
  const plan: SubmissionPlan = {
    itemId: item.id,
    runId: item.runId,
    attempt: item.attempt,
    trainingJobName: plannedJobName(item, spec),
    image,
    body,
    macros,
    added: {
      entryPoint: nonEmpty(overrides.entry_point) ?? ownEntryPoint(image, input.job),
      arguments: nonEmpty(overrides.args),
      environment: launchEnvironment({
        spec,
        runId: item.runId,
        itemId: item.id,
        queueName: item.queueName,
        queueEntityName: item.queueEntityName,
        baseUrl: agent.baseUrl,
        attempt: item.attempt,
        ...(input.job === undefined ? {} : { job: input.job }),
      }),
      tags: [{ Key: RUN_ID_TAG, Value: tagValue(item.runId) }],
    },
  };
  const request = withImage(plan, image.kind === "prebuilt" ? image.uri : SOME_IMAGE);
  const problems = checkCreateTrainingJob(request, { mode: "request" });
  if (problems.length > 0)
    throw new SlipwayError("RESOURCE_CONFIG_INVALID", {
      values: { count: problems.length },
      where: problems[0]!.path,
      problems,
    });
  return plan;
}

/** The name that the plan gives the training job. It follows from the item alone, so it is known before its job is looked up. */
export function plannedJobName(item: Pick<PlanInput["item"], "runId" | "attempt">, spec: RunSpec): string {
  const { run_id: _, ...allButRunId } = macrosOf(item, spec);
  const { TrainingJobName: own } = normaliseCreateTrainingJob(spec.resource_args?.sagemaker ?? {});
  return trainingJobName(
    item.runId,
    item.attempt,
    typeof own === "string" ? String(fillMacros(own, allButRunId)) : undefined,
  );
}

function macrosOf(item: { readonly runId: string }, spec: RunSpec): MacroValues & { readonly run_id: string } {
  return {
    project_name: spec.project,
    entity_name: spec.entity,
    run_id: item.runId,
    run_name: spec.name ?? "",
    author: spec.author ?? "",
  };
}

/** The plan for an image in which the code's entry point reads otherwise than outside; what the item overrides stays. */
export function withImageEntryPoint(plan: SubmissionPlan, entryPoint: readonly string[] | undefined): SubmissionPlan {
  const { image, added } = plan;
  if (entryPoint === undefined || image.kind !== "build" || added.entryPoint !== image.code.entry_point) return plan;
  return { ...plan, added: { ...added, entryPoint } };
}

/**
 * The complete request: fills every macro, `${image_uri}` too, and adds the name, the entry point, the environment, the tag and, unless the
 * queue fixes another or names an algorithm of SageMaker's, the image.
 */
export function withImage(plan: SubmissionPlan, imageUri: string): CreateTrainingJobRequest {
  const body = fillMacros(plan.body, { ...plan.macros, image_uri: imageUri }, { last: true }) as JsonObject;
  const { entryPoint, arguments: args, environment, tags } = plan.added;
  const algorithm = objectAt(body, "AlgorithmSpecification");
  const own = objectAt(body, "Environment");
  const ownTags = Array.isArray(body.Tags) ? (body.Tags as JsonValue[]) : [];
  return {
    ...body,
    TrainingJobName: plan.trainingJobName,
    AlgorithmSpecification: {
      TrainingInputMode: "File",
      ...(plan.image.kind === "none" ? {} : { TrainingImage: imageUri }),
      ...algorithm,
      ...(entryPoint === undefined ? {} : { ContainerEntrypoint: entryPoint }),
      ...(args === undefined ? {} : { ContainerArguments: args }),
    },
    Environment: { ...own, ...environment, ...(own.WANDB_BASE_URL ? { WANDB_BASE_URL: own.WANDB_BASE_URL } : {}) },
    Tags: [...ownTags.filter((tag) => !isJsonObject(tag) || tag.Key !== RUN_ID_TAG), ...tags],
  } as unknown as CreateTrainingJobRequest;
}

function imageNeed({ spec, job, agent }: PlanInput, algorithm: JsonObject): ImageNeed {
  if (spec.job && job === undefined) throw new Error("the item's job was not looked up");
  const own = spec.docker?.docker_image ?? (job !== undefined && "image" in job ? job.image : undefined);
  const code = spec.code ?? spec.repo ?? (job !== undefined && "code" in job ? job.code : undefined);
  const fixed =
    typeof algorithm.TrainingImage === "string" && !algorithm.TrainingImage.includes("${image_uri}")
      ? algorithm.TrainingImage
      : undefined;
  if (code !== undefined) {
    if (fixed !== undefined)
      throw new SlipwayError("IMAGE_FIXED_BY_QUEUE", {
        values: { image: fixed },
        where: "AlgorithmSpecification.TrainingImage",
      });
    return {
      kind: "build",
      code,
      base: code.base ?? agent.builderBase,
      dockerfile: spec.overrides?.dockerfile ?? code.dockerfile,
    };
  }
  if (algorithm.AlgorithmName !== undefined) return { kind: "none" };
  const uri = fixed ?? own;
  if (uri !== undefined) return { kind: "prebuilt", uri };
  const problems = [
    {
      path: "docker.docker_image",
      message: "The spec names nothing to run",
      hint: "Give an image, a job or a directory of code.",
    },
  ];
  throw new SlipwayError("RUN_SPEC_INVALID", { values: { count: 1 }, where: "docker.docker_image", problems });
}

/** What runs unless the item says otherwise; undefined: what the image says. */
function ownEntryPoint(image: ImageNeed, job: ResolvedJob | undefined): readonly string[] | undefined {
  if (image.kind === "build") return nonEmpty(image.code.entry_point);
  return job !== undefined && "image" in job ? job.entryPoint : undefined;
}

/** What SageMaker takes as a tag's value; a run id may hold more. */
function tagValue(runId: string): string {
  return runId.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, "-");
}

function nonEmpty(words: readonly string[] | undefined): readonly string[] | undefined {
  return words !== undefined && words.length > 0 ? words : undefined;
}

function objectAt(value: JsonObject, key: string): JsonObject {
  const found = value[key];
  return isJsonObject(found) ? found : {};
}
