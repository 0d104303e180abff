import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SlipwayError } from "../errors/slipway-error.ts";
import { completeRunSpec } from "../items/complete-run-spec.ts";
import type { RunSpec } from "../items/run-spec.ts";
import type { JsonObject } from "../json.ts";
import { checkCreateTrainingJob } from "./create-training-job.ts";
import { type PlanInput, planSubmission, withImage } from "./submission-plan.ts";
import { trainingJobName } from "./training-job-name.ts";

const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:v1";
const body = {
  RoleArn: "arn:aws:iam::123456789012:role/train",
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  OutputDataConfig: { S3OutputPath: "s3://bucket/out" },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};
const code = {
  digest: `sha256:${"a".repeat(64)}`,
  size: 10,
  entry_point: ["python3", "train.py"],
  requirements: "requirements.txt",
};

const jobCode = {
  job: "j",
  jobArtifactId: "A1",
  from: { artifact: "wandb-artifact://_id/QQ==" },
  entry_point: ["python3", "train.py"],
  base: "python:3.12",
};

function input(
  spec: Partial<RunSpec> = {},
  over: { body?: JsonObject; attempt?: number; agent?: Partial<PlanInput["agent"]>; job?: PlanInput["job"] } = {},
): PlanInput {
  return {
    item: { id: "item1", runId: "abcd1234", attempt: over.attempt ?? 1, queueName: "q", queueEntityName: "team" },
    spec: {
      entity: "me",
      project: "proj",
      author: "ann",
      run_id: "abcd1234",
      resource: "sagemaker",
      docker: { docker_image: image },
      resource_args: { sagemaker: { ...body, ...over.body } },
      ...spec,
    },
    ...(over.job === undefined ? {} : { job: over.job }),
    agent: { baseUrl: "http://127.0.0.1:8080", ...over.agent },
  };
}
const requestOf = (given: PlanInput, uri = image) => withImage(planSubmission(given), uri);
const { docker_image: _, ...noImage } = { docker_image: image };

function codeOf(given: PlanInput): string {
  try {
    planSubmission(given);
  } catch (error) {
    return (error as SlipwayError).code;
  }
  throw new Error("it was planned");
}

describe("planSubmission", () => {
  it("makes the request that the wandb agent makes, without a key", () => {
    const plan = planSubmission(input());
    expect(plan.image).toEqual({ kind: "prebuilt", uri: image });
    expect(withImage(plan, image)).toEqual({
      ...body,
      TrainingJobName: "abcd1234",
      AlgorithmSpecification: { TrainingImage: image, TrainingInputMode: "File" },
      Environment: {
        WANDB_BASE_URL: "http://127.0.0.1:8080",
        WANDB_PROJECT: "proj",
        WANDB_ENTITY: "me",
        WANDB_LAUNCH: "True",
        WANDB_RUN_ID: "abcd1234",
        WANDB_DOCKER: image,
        WANDB_USERNAME: "ann",
        WANDB_LAUNCH_QUEUE_NAME: "q",
        WANDB_LAUNCH_QUEUE_ENTITY: "team",
        WANDB_LAUNCH_TRACE_ID: "item1",
        WANDB_CONFIG: "{}",
        WANDB_LAUNCH_FILE_OVERRIDES: "{}",
        WANDB_ARTIFACTS: "{}",
      },
      Tags: [{ Key: "WandbRunId", Value: "abcd1234" }],
    });
  });

  it("passes on name, sweep, job, entry point, arguments, and resumes a second attempt", () => {
    const request = requestOf(
      input(
        {
          name: "my run",
          sweep_id: "sw1",
          job: "me/p/j:v0",
          docker: noImage,
          overrides: { entry_point: ["python", "t.py"], args: ["--lr", "1"] },
        },
        { attempt: 2, job: { image, entryPoint: ["python", "own.py"] } },
      ),
    );
    expect(request.TrainingJobName).toBe("abcd1234-a2");
    expect(request.AlgorithmSpecification).toEqual({
      TrainingImage: image,
      TrainingInputMode: "File",
      ContainerEntrypoint: ["python", "t.py"],
      ContainerArguments: ["--lr", "1"],
    });
    expect(request.Environment).toMatchObject({
      WANDB_NAME: "my run",
      WANDB_SWEEP_ID: "sw1",
      WANDB_RESUME: "allow",
      WANDB_ARTIFACTS: '{"_wandb_job":"me/p/j:v0"}',
    });
    expect(request.Environment.WANDB_DOCKER).toBe(image);
  });

  it("runs a job's own entry point unless the item has one, and knows the commit of its code", () => {
    const job = { image, entryPoint: ["python", "own.py"] };
    expect(requestOf(input({ docker: noImage, job: "j" }, { job })).AlgorithmSpecification).toMatchObject({
      TrainingImage: image,
      ContainerEntrypoint: ["python", "own.py"],
    });
    const from = { remote: "https://host.example/code.git", commit: "0123456789".repeat(4) };
    const request = requestOf(
      input({ docker: noImage, job: "j" }, { job: { code: { ...jobCode, from } }, agent: { builderBase: "host" } }),
    );
    expect(request.Environment).toMatchObject({
      WANDB_GIT_REMOTE_URL: from.remote,
      WANDB_GIT_COMMIT: from.commit,
    });
  });

  it("builds code, on its own base or the agent's", () => {
    const plan = planSubmission(input({ docker: noImage, code }, { agent: { builderBase: "host" } }));
    expect(plan.image).toEqual({ kind: "build", code, base: "host" });
    expect(withImage(plan, "built@sha256:1").AlgorithmSpecification).toEqual({
      TrainingImage: "built@sha256:1",
      TrainingInputMode: "File",
      ContainerEntrypoint: ["python3", "train.py"],
    });
    expect(
      planSubmission(
        input({ docker: noImage, code: { ...code, base: "python:3.12" } }, { agent: { builderBase: "host" } }),
      ).image,
    ).toMatchObject({ base: "python:3.12" });
    expect(planSubmission(input({ docker: noImage, job: "j" }, { job: { code: jobCode } })).image).toEqual({
      kind: "build",
      code: jobCode,
      base: "python:3.12",
    });
  });

  it("keeps what the queue says of the algorithm, its environment and its tags", () => {
    const over = {
      AlgorithmSpecification: { TrainingImage: "fixed", TrainingInputMode: "FastFile" },
      Environment: { A: "${run_name}", WANDB_BASE_URL: "https://outside" },
      Tags: [{ Key: "team", Value: "${author}" }],
    };
    const plan = planSubmission(input({ name: "n" }, { body: over }));
    expect(plan.image).toEqual({ kind: "prebuilt", uri: "fixed" });
    const request = withImage(plan, "fixed");
    expect(request.AlgorithmSpecification).toEqual({ TrainingImage: "fixed", TrainingInputMode: "FastFile" });
    expect(request.Environment).toMatchObject({ A: "n", WANDB_BASE_URL: "https://outside" });
    expect(request.Tags).toEqual([
      { Key: "team", Value: "ann" },
      { Key: "WandbRunId", Value: "abcd1234" },
    ]);
  });

  it("fills ${image_uri} with the image, and nothing that a value brought in", () => {
    const over = {
      AlgorithmSpecification: { TrainingImage: "${image_uri}" },
      HyperParameters: { image: "${image_uri}", name: "${run_name}", shell: "$${HOME}" },
    };
    const plan = planSubmission(
      input({ name: "${image_uri}", overrides: { run_config: { a: "${image_uri}" } } }, { body: over }),
    );
    expect(plan.image).toEqual({ kind: "prebuilt", uri: image });
    const request = withImage(plan, "the-image");
    expect(request.AlgorithmSpecification.TrainingImage).toBe("the-image");
    expect(request.HyperParameters).toEqual({ image: "the-image", name: "${image_uri}", shell: "${HOME}" });
    expect(request.Environment.WANDB_CONFIG).toBe('{"a":"${image_uri}"}');
  });

  it("runs SageMaker's own algorithms without an image", () => {
    const plan = planSubmission(
      input({ docker: noImage }, { body: { AlgorithmSpecification: { AlgorithmName: "xgboost" } } }),
    );
    expect(plan.image).toEqual({ kind: "none" });
    expect(withImage(plan, "").AlgorithmSpecification).toEqual({ TrainingInputMode: "File", AlgorithmName: "xgboost" });
  });

  it("builds a commit of a git repository and tells the training code which one it is", () => {
    const repo = { remote: "https://host/a.git", commit: "0123456789".repeat(4), entry_point: ["python3", "a.py"] };
    const plan = planSubmission(input({ docker: noImage, repo }, { agent: { builderBase: "host" } }));
    expect(plan.image).toEqual({ kind: "build", code: repo, base: "host" });
    const { Environment, AlgorithmSpecification } = withImage(plan, image);
    expect(Environment).toMatchObject({ WANDB_GIT_REMOTE_URL: repo.remote, WANDB_GIT_COMMIT: repo.commit });
    expect(AlgorithmSpecification).toMatchObject({ ContainerEntrypoint: ["python3", "a.py"], TrainingImage: image });
  });

  it("uses the queue's own name, with the attempt behind it", () => {
    const named = { TrainingJobName: "${author}-${run_id}" };
    expect(planSubmission(input({}, { body: named })).trainingJobName).toBe("ann-abcd1234");
    expect(planSubmission(input({}, { body: named, attempt: 3 })).trainingJobName).toBe("ann-abcd1234-a3");
  });

  it.each<[string, PlanInput, string]>([
    [
      "code where the queue fixes an image",
      input({ docker: noImage, code }, { body: { AlgorithmSpecification: { TrainingImage: "fixed" } } }),
      "IMAGE_FIXED_BY_QUEUE",
    ],
    [
      "an override in secure mode",
      input({ overrides: { args: ["x"] } }, { agent: { secureMode: true } }),
      "OVERRIDE_LOCKED",
    ],
    ["nothing to run", input({ docker: noImage }), "RUN_SPEC_INVALID"],
    [
      "a macro that becomes a wrong value",
      input({ name: "no arn" }, { body: { RoleArn: "${run_name}" } }),
      "RESOURCE_CONFIG_INVALID",
    ],
    ["an argument that is too long", input({ overrides: { args: ["x".repeat(300)] } }), "RESOURCE_CONFIG_INVALID"],
  ])("refuses %s", (_, given, code) => expect(codeOf(given)).toBe(code));

  const text = fc.string({ unit: "binary", maxLength: 40 });
  const spec = fc.record(
    {
      name: text.filter((name) => name !== ""),
      overrides: fc.record(
        {
          run_config: fc.dictionary(
            text,
            fc.oneof(
              text,
              fc.double({ noNaN: true, noDefaultInfinity: true }),
              fc.string({ unit: "binary", maxLength: 900 }),
            ),
          ),
          args: fc.array(fc.stringMatching(/^[ -~]{0,20}$/), { maxLength: 5 }),
        },
        { requiredKeys: [] },
      ),
      run_id: fc.oneof(fc.stringMatching(/^[a-z]{8}$/), fc.stringMatching(/^[a-zA-Z_0-9!é-]{1,80}$/)),
    },
    { requiredKeys: [] },
  );

  it("leaves items of other resources alone", () => {
    const foreign = {
      item: { id: "item1", runId: "run1", attempt: 1, queueName: "q", queueEntityName: "team" },
      spec: { entity: "me", project: "p", resource: "kubernetes", docker: { docker_image: "a/b:1" } },
      agent: { baseUrl: "http://127.0.0.1:8080" },
    };
    expect(() => planSubmission(foreign)).toThrow(
      expect.objectContaining({ code: "RESOURCE_FOREIGN", message: expect.stringContaining("for kubernetes") }),
    );
  });

  it("makes a request that SageMaker takes of every spec that was taken at push, the same each time", () => {
    fc.assert(
      fc.property(spec, fc.integer({ min: 1, max: 20 }), fc.boolean(), (given, attempt, built) => {
        const source = built ? { code } : { docker: { docker_image: image } };
        const completed = completeRunSpec({
          spec: JSON.parse(JSON.stringify({ entity: "me", project: "proj", ...source, ...given })),
          queue: { name: "q", entityName: "team", resource: "sagemaker", config: body, templateVariables: [] },
          author: "ann",
          mintedRunId: "abcd1234",
        });
        const planned = {
          item: { id: "item1", runId: completed.runId, attempt, queueName: "q", queueEntityName: "team" },
          spec: completed.spec,
          agent: { baseUrl: "http://127.0.0.1:8080" },
        };
        const request = requestOf(planned);
        expect(requestOf(planned)).toEqual(request);
        expect(checkCreateTrainingJob(request, { mode: "request" })).toEqual([]);
        expect(request.TrainingJobName).toBe(trainingJobName(completed.runId, attempt));
        expect(request.Environment).not.toHaveProperty("WANDB_API_KEY");
        expect(request.Environment.WANDB_LAUNCH_TRACE_ID).toBe("item1");
        const parts = Object.keys(request.Environment).filter((name) => /^WANDB_CONFIG_\d+$/.test(name));
        const joined =
          request.Environment.WANDB_CONFIG ??
          parts.map((_, index) => request.Environment[`WANDB_CONFIG_${index}`]).join("");
        expect(JSON.parse(joined)).toEqual(completed.spec.overrides?.run_config ?? {});
      }),
      { numRuns: 300 },
    );
  });
});
