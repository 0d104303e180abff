import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { digestText } from "../artifacts/artifact-manifest.ts";
import { parseJobFile } from "./job-file.ts";
import { codeJobNames, imageJobName, jobAddress, jobPath, repoJobName, safeArtifactName } from "./job-names.ts";
import { jobFileText, type NewJobSource, requirementsText } from "./write-job-file.ts";

const COMMIT = "0123456789".repeat(4);
const plain = { baseImage: undefined, buildContext: undefined, dockerfile: undefined };

/** The digest of a job artifact with these files. */
function digest(job: string, requirements: string): string {
  const file = (path: string, text: string) => ({
    path,
    size: Buffer.byteLength(text),
    md5: createHash("md5").update(text).digest("base64"),
  });
  const files = [file("wandb-job.json", job), file("requirements.frozen.txt", requirements)];
  return createHash("md5").update(digestText(files)).digest("hex");
}

// The digests are those of the artifacts that wandb 0.31.0's JobBuilder built of the same sources.
test.each<[string, NewJobSource, string, string, string]>([
  [
    "an image",
    { kind: "image", image: "host.io:5000/me/img:1.2", entryPoint: undefined },
    "",
    "",
    "be70a042afde58260b3077d496bec9f3",
  ],
  [
    "a commit, with a name beyond ASCII",
    {
      kind: "repo",
      remote: "https://host/team/train.git",
      commit: COMMIT,
      entryPoint: ["python", "trän.py"],
      ...plain,
    },
    "3.11",
    "",
    "2e357dfdd2a58193fa64ffe152e8095f",
  ],
  [
    "code with a base image and a build context",
    {
      kind: "artifact",
      artifactId: "QXJ0",
      entryPoint: ["python", "train.py"],
      baseImage: "base:1",
      buildContext: "sub",
      dockerfile: undefined,
    },
    "3.11",
    "wandb\nnumpy==1\n",
    "2b2b573ab7a0a9057a6bb44a1f89e8ae",
  ],
])("the files of a job of %s are the wandb client's to the byte", (_name, source, runtime, requirements, expected) => {
  expect(digest(jobFileText(source, runtime), requirementsText(requirements))).toBe(expected);
});

test("what is written is what is read", () => {
  const read = (source: NewJobSource, runtime = "3.12") => parseJobFile(jobFileText(source, runtime), "me/p/j:v0");
  const build = { entryPoint: ["python", "t.py"], baseImage: "b:1", buildContext: "sub", dockerfile: "Dockerfile.gpu" };
  expect(read({ kind: "repo", remote: "https://host/a.git", commit: COMMIT, ...build })).toMatchObject({
    runtime: "3.12",
    source: { kind: "code", code: { remote: "https://host/a.git", commit: COMMIT }, notebook: false, ...build },
  });
  expect(read({ kind: "image", image: "a:1", entryPoint: ["./run"] }, "")).toMatchObject({
    runtime: undefined,
    source: { kind: "image", image: "a:1", entryPoint: ["./run"] },
  });
});

describe("names of jobs", () => {
  test.each([
    ["host.io:5000/me/img:1.2", "job-host.io_5000_me_img", "1.2"],
    ["plain", "job-plain", undefined],
    ["host:5000/plain", "job-host_5000_plain", undefined],
  ])("the image %s", (image, name, tag) => expect(imageJobName(image)).toEqual({ name, tag }));

  test.each([
    ["./train.py", "job-train.py", "code-train.py"],
    ["/home/x/dir/train.py", "job-home_x_dir_train.py", "code-home_x_dir_train.py"],
    ["../dir/train.py", "job-.dir_train.py", "code-.dir_train.py"],
  ])("the code at %s", (path, job, code) => expect(codeJobNames(path)).toEqual({ job, code }));

  test("a repository, and a name that is too long", () => {
    expect(repoJobName("https://host/team/train.git")).toBe("job-https___host_team_train.git_");
    const long = safeArtifactName("x/".repeat(80));
    expect(long).toBe(`${"x_".repeat(31)}x..${"_x".repeat(31)}_`);
    expect(long).toHaveLength(128);
  });

  test.each([
    ["train", "me/p/train:latest"],
    ["train:v3", "me/p/train:v3"],
    ["q/train", "me/q/train:latest"],
    ["team/q/train:best", "team/q/train:best"],
  ])("%s is %s", (text, path) => {
    const address = jobAddress(text, { entity: "me", project: "p" });
    expect(address && jobPath(address)).toBe(path);
  });

  test.each(["", "a/b/c/d", "a//b", ":v1", "a:b:c", "a/"])("%j is none", (text) => {
    expect(jobAddress(text, { entity: "me", project: "p" })).toBeUndefined();
  });
});
