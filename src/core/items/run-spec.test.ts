import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlipwayError } from "../errors/slipway-error.ts";
import { maskSecrets, parseRunSpec, sourcesOf } from "./run-spec.ts";

/** As `wandb launch -d IMAGE` sends it. */
const fromClient = {
  entity: "me",
  project: "p",
  docker: { docker_image: "image:tag" },
  resource: null,
  git: {},
  overrides: {},
};

function problemsOf(input: unknown) {
  try {
    parseRunSpec(input);
  } catch (error) {
    expect((error as SlipwayError).code).toBe("RUN_SPEC_INVALID");
    return (error as SlipwayError).problems;
  }
  throw new Error("the spec was taken");
}

describe("parseRunSpec", () => {
  it("takes what the wandb client sends, as text and as a value, and keeps what it does not know", () => {
    expect(parseRunSpec(JSON.stringify(fromClient))).toEqual(fromClient);
    const job = {
      job: "me/p/job:v0",
      entity: "me",
      project: "p",
      docker: {},
      resource: null,
      git: {},
      overrides: { entry_point: ["python", "train.py"], run_config: null },
      newer: [1],
    };
    expect(parseRunSpec(job)).toEqual({ ...job, overrides: { entry_point: ["python", "train.py"] } });
  });

  it("takes entity and project of the queue where the spec has none", () => {
    expect(parseRunSpec({ project: null }, { entity: "team", project: "p" })).toEqual({ entity: "team", project: "p" });
    expect(problemsOf({}).map((problem) => problem.path)).toEqual(["entity", "project"]);
  });

  it("names every problem with its path", () => {
    expect(problemsOf("{").map((p) => p.message)).toEqual([expect.stringContaining("The run spec is not JSON")]);
    expect(problemsOf([1])[0]).toMatchObject({ path: "", message: "The run spec must be an object" });
    expect(
      problemsOf({
        entity: 1,
        project: "p",
        run_id: "a/b",
        overrides: { entry_point: "python train.py" },
        docker: { docker_image: "" },
        code: { digest: "md5:1", size: 1, entry_point: [] },
        repo: { remote: "file:///etc", commit: "main", entry_point: ["x"] },
        resource_args: { sagemaker: [] },
      }).map((problem) => [problem.path, problem.message]),
    ).toEqual([
      ["entity", "entity must be a text"],
      ["resource_args.sagemaker", "resource_args.sagemaker must be an object"],
      ["docker.docker_image", "docker.docker_image must not be empty"],
      ["overrides.entry_point", 'overrides.entry_point must be a list of words, for instance ["python3", "train.py"]'],
      ["code.digest", "code.digest must be sha256: and 64 hexadecimal digits"],
      ["code.entry_point", "code.entry_point must name what to run"],
      ["repo.remote", "repo.remote must be an https or ssh address, not file://"],
      ["repo.commit", "repo.commit must be a whole commit id: 40 hexadecimal digits"],
    ]);
    expect(problemsOf({ ...fromClient, run_id: "a/b" })).toEqual([
      { path: "run_id", message: 'A run id does not contain "/"' },
    ]);
  });

  it("never fails otherwise than by saying what is wrong", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.jsonValue()),
        fc.constantFrom("docker", "overrides", "code", "resource_args", "run_id"),
        (value, key) => {
          for (const input of [value, { ...fromClient, [key]: value }])
            try {
              parseRunSpec(input);
            } catch (error) {
              expect(error).toBeInstanceOf(SlipwayError);
            }
        },
      ),
    );
  });

  it("knows what a spec runs", () => {
    expect(sourcesOf(parseRunSpec(fromClient))).toEqual(["docker"]);
    expect(sourcesOf(parseRunSpec({ ...fromClient, job: "j" }))).toEqual(["docker", "job"]);
    expect(sourcesOf(parseRunSpec({ ...fromClient, docker: {} }))).toEqual([]);
  });
});

describe("maskSecrets", () => {
  it("masks by name in the maps that people fill, and keys of the wandb client anywhere", () => {
    const spec = {
      _wandb_api_key: "k1",
      overrides: { run_config: { lr: 1, hf_token: "k2", nested: { dbPassword: "k3" }, keyboard: "qwerty" } },
      resource_args: {
        sagemaker: {
          Environment: { MY_SECRET: "k4", EPOCHS: "3", API_KEY: "k5" },
          HyperParameters: { auth: "k6" },
          OutputDataConfig: { KmsKeyId: "arn" },
        },
      },
    };
    const masked = maskSecrets(spec);
    expect(JSON.stringify(masked)).not.toMatch(/"k\d"/);
    expect(masked.resource_args.sagemaker.Environment.EPOCHS).toBe("3");
    expect(masked.resource_args.sagemaker.OutputDataConfig.KmsKeyId).toBe("arn");
    expect(masked.overrides.run_config).toMatchObject({ lr: 1, keyboard: "qwerty" });
    expect(spec._wandb_api_key).toBe("k1");
  });
});
