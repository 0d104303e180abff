import { describe, expect, it } from "vitest";
import { SlipwayError } from "../errors/slipway-error.ts";
import { parseJobFile } from "./job-file.ts";
import { resolveJobFile } from "./resolved-job.ts";

const NO_TYPES = { wb_type: "typedDict", params: { type_map: {} } };
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

function text(source_type: string, source: unknown, more: object = {}): string {
  const types = { input_types: NO_TYPES, output_types: NO_TYPES };
  return JSON.stringify({ _version: "v0", source_type, source, ...types, runtime: "3.11", ...more });
}

const read = (content: string) => parseJobFile(content, "me/p/j:v0");

function refused(content: string): readonly { path: string; message: string }[] {
  try {
    read(content);
  } catch (error) {
    expect(error).toBeInstanceOf(SlipwayError);
    expect((error as SlipwayError).code).toBe("JOB_INVALID");
    return (error as SlipwayError).problems;
  }
  throw new Error("it was taken");
}

describe("parseJobFile", () => {
  it("reads the three kinds of jobs as the wandb client writes them", () => {
    expect(read(text("image", { image: "host/some/image:1" }, { runtime: "" }))).toEqual({
      source: { kind: "image", image: "host/some/image:1", entryPoint: undefined },
      runtime: undefined,
      inputTypes: NO_TYPES,
    });
    const artifact = "wandb-artifact://_id/QXJ0aWZhY3Q6MQ==";
    expect(read(text("artifact", { artifact, entrypoint: ["python", "train.py"], notebook: false }))).toMatchObject({
      source: { kind: "code", code: { artifact }, entryPoint: ["python", "train.py"], notebook: false },
      runtime: "3.11",
    });
    const git = { remote: "git@host.example:team/code.git", commit: COMMIT };
    const built = { entrypoint: ["python", "a.py"], build_context: "sub", dockerfile: "Dockerfile", base_image: "b:1" };
    expect(read(text("repo", { git, ...built }))).toMatchObject({
      source: { kind: "code", code: git, buildContext: "sub", dockerfile: "Dockerfile", baseImage: "b:1" },
    });
  });

  it("understands what wandb-core 0.31.0 writes of a run's Python", () => {
    const source = { artifact: "wandb-artifact://_id/QQ==", entrypoint: ["pythonCPython 3.11", "train.py"] };
    const file = read(text("artifact", source, { runtime: "CPython 3.11.7" }));
    expect(file).toMatchObject({ source: { entryPoint: ["python3", "train.py"] }, runtime: "3.11" });
  });

  it("names each mistake with its place", () => {
    expect(refused("{")).toEqual([expect.objectContaining({ path: "wandb-job.json" })]);
    expect(refused(text("notebook", {}))[0]).toMatchObject({ path: "source_type" });
    const git = { remote: "file:///etc", commit: "main" };
    const problems = refused(text("repo", { git, entrypoint: [], build_context: "../up" }));
    expect(problems.map(({ path }) => path).sort()).toEqual([
      "source.build_context",
      "source.entrypoint",
      "source.git.commit",
      "source.git.remote",
    ]);
    expect(refused(text("image", {}))[0]).toMatchObject({ path: "source.image" });
  });
});

describe("resolveJobFile", () => {
  const artifact = "wandb-artifact://_id/QQ==";

  it("makes the script of a notebook the entry point", () => {
    const file = read(text("artifact", { artifact, entrypoint: ["python3", "nb/train.ipynb"], notebook: true }));
    expect(resolveJobFile("j", "A1", file)).toEqual({
      code: {
        job: "j",
        jobArtifactId: "A1",
        from: { artifact },
        entry_point: ["python3", "nb/train.py"],
        notebook: "nb/train.ipynb",
      },
    });
  });

  it("hands its Dockerfile on to the builder", () => {
    const file = read(text("artifact", { artifact, entrypoint: ["python3", "t.py"], dockerfile: "Dockerfile.gpu" }));
    expect(resolveJobFile("j", "A1", file)).toMatchObject({ code: { dockerfile: "Dockerfile.gpu" } });
  });
});
