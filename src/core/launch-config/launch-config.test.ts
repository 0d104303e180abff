import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { SlipwayError } from "../errors/slipway-error.ts";
import { DEFAULT_LAUNCH_CONFIG, parseLaunchConfig } from "./launch-config.ts";
import { LAUNCH_CONFIG_KEYS } from "./launch-config-schema.ts";

function problemsOf(text: string) {
  try {
    parseLaunchConfig(text, "launch-config.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(SlipwayError);
    expect((error as SlipwayError).code).toBe("LAUNCH_CONFIG_INVALID");
    return error as SlipwayError;
  }
  throw new Error("the file was taken");
}

describe("parseLaunchConfig", () => {
  it("reads the tutorial's file, with the repository given by its ARN", () => {
    const config = parseLaunchConfig(
      `max_jobs: -1
queues:
  - sagemaker
environment:
  type: aws
  region: us-east-1
registry:
  type: ecr
  uri: arn:aws:ecr:us-east-1:123456789012:repository/launch
builder:
  type: docker
`,
      "launch-config.yaml",
    );
    expect(config).toMatchObject({
      queues: ["sagemaker"],
      maxJobs: Number.POSITIVE_INFINITY,
      maxSchedulers: 1,
      secureMode: false,
      environment: { type: "aws", region: "us-east-1" },
      registry: { registryHost: "123456789012.dkr.ecr.us-east-1.amazonaws.com", repository: "launch" },
      builder: { type: "docker" },
      verbosity: 0,
      stoppedRunTimeout: 60,
    });
    expect(config.raw).toMatchObject({ max_jobs: -1, builder: { type: "docker" } });
  });

  it("takes every key of the wandb agent", () => {
    const config = parseLaunchConfig(
      `queues: [a, b]
queue: c
entity: team
project: model-registry
max_jobs: 4
max_schedulers: -1
secure_mode: true
verbosity: 2
stopped_run_timeout: 5
base_url: http://127.0.0.1:8080
environment: { type: aws, region: cn-north-1, profile: SageMaker-agent }
registry: { type: ecr, account_id: "123456789012", region: cn-north-1, repo_name: launch }
builder:
  type: kaniko
  platform: linux/arm64
  destination: 123456789012.dkr.ecr.us-east-1.amazonaws.com/built
  build-context-store: s3://bucket/contexts
  kaniko-image: gcr.io/kaniko-project/executor:latest
`,
      "launch-config.yaml",
    );
    expect(config).toMatchObject({
      queues: ["a", "b", "c"],
      entity: "team",
      maxJobs: 4,
      maxSchedulers: Number.POSITIVE_INFINITY,
      secureMode: true,
      environment: { profile: "SageMaker-agent" },
      registry: { registryHost: "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", partition: "aws-cn" },
      builder: { destination: { repository: "built" }, kaniko: { "build-context-store": "s3://bucket/contexts" } },
      baseUrl: "http://127.0.0.1:8080",
    });
  });

  it("takes an empty file, and keys with nothing after them, as defaults", () => {
    expect(parseLaunchConfig("", "x")).toEqual(DEFAULT_LAUNCH_CONFIG);
    const { raw, ...rest } = parseLaunchConfig("# nothing\nregistry:\nbuilder:\n  type:\n", "x");
    expect({ ...rest, raw: {} }).toEqual(DEFAULT_LAUNCH_CONFIG);
    expect(raw).toEqual({ builder: {} });
    expect(DEFAULT_LAUNCH_CONFIG.builder.type).toBe("layer");
  });

  it("names every problem of a file at once, each with its line, column and the nearest key", () => {
    const error = problemsOf(`max_job: 2
queues: default
environment:
  type: gcp
  region: <your-region>
registry:
  uri: <ecr-repo-arn>
builder:
  type: layr
  max_jobs: 3
verbosity: 5
`);
    expect(error.where).toBe("launch-config.yaml:1:1");
    expect(error.problems.map((p) => [p.path, p.line, p.column, p.hint])).toEqual([
      ["max_job", 1, 1, "Did you mean max_jobs?"],
      ["queues", 2, 9, undefined],
      ["environment.type", 4, 9, undefined],
      ["environment.region", 5, 11, "Replace it by your own value."],
      ["registry.uri", 7, 8, "Replace it by your own value."],
      ["builder.type", 9, 9, "Did you mean layer?"],
      ["builder.max_jobs", 10, 3, "It belongs in the top level."],
      ["verbosity", 11, 12, undefined],
    ]);
  });

  it.each([
    ["queues:\n\t- a\n", 2, 1, "A tab cannot indent YAML"],
    ["entity: a\nentity: b\n", 2, 1, "The key is written twice"],
    ["queues: [a\n", 2, 1, "Flow sequence"],
    ["- a\n", 1, 1, "The file must be a block"],
    ["queues: [1]\n", 1, 10, "must be the name of a queue"],
    ["max_jobs: -2\n", 1, 11, "must be -1 (no limit) or more"],
    ["max_jobs: '4'\n", 1, 11, "must be a whole number"],
    ["secure_mode: sometimes\n", 1, 14, "must be true or false"],
    ["registry:\n  uri: docker.io/python\n", 2, 8, "is not an ECR repository"],
    ["registry:\n  account_id: 123456789012\n  repo_name: train\n", 1, 1, "registry lacks region"],
    [
      "environment: { region: us-east-1 }\nregistry: { account_id: 12345, repo_name: train }\n",
      2,
      11,
      "is not an AWS account",
    ],
    ["environment:\n  region: virginia\n", 2, 11, "is not an AWS region"],
    ["base_url: localhost\n", 1, 11, "http or https"],
  ])("%j", (text, line, column, message) => {
    const [problem] = problemsOf(text).problems;
    expect(problem).toMatchObject({ line, column, message: expect.stringContaining(message) });
  });

  it("refuses any unknown key, wherever it stands, and says where", () => {
    const known = new Set(LAUNCH_CONFIG_KEYS);
    const key = fc
      .stringMatching(/^[a-z_]{1,12}$/)
      .filter((name) => !["environment", "registry", "builder"].includes(name));
    fc.assert(
      fc.property(key, fc.constantFrom("", "environment", "registry", "builder"), (name, section) => {
        fc.pre(!known.has(section === "" ? name : `${section}.${name}`));
        const error = problemsOf(
          stringify(section === "" ? { queues: ["a"], [name]: 1 } : { queues: ["a"], [section]: { [name]: 1 } }),
        );
        const [problem] = error.problems;
        expect(problem?.path).toBe(section === "" ? name : `${section}.${name}`);
        expect(problem?.line).toBe(section === "" ? 3 : 4);
        expect(problem?.hint).toBeTruthy();
      }),
    );
  });

  it("never fails otherwise than by saying what is wrong", () => {
    fc.assert(
      fc.property(fc.string(), fc.json(), (text, json) => {
        for (const input of [text, json, `builder: ${json}`])
          try {
            parseLaunchConfig(input, "x");
          } catch (error) {
            expect(error).toBeInstanceOf(SlipwayError);
            expect((error as SlipwayError).problems.length).toBeGreaterThan(0);
          }
      }),
    );
  });
});
