import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { awsCliCommand, diffRequests, withoutItem } from "./training-requests.ts";

const request = (changes: JsonObject = {}): JsonObject => ({
  TrainingJobName: "digits-1",
  AlgorithmSpecification: { TrainingImage: "1.dkr.ecr.us-east-1.amazonaws.com/a:1", TrainingInputMode: "File" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  InputDataConfig: [
    { ChannelName: "train", ContentType: "a" },
    { ChannelName: "test", ContentType: "b" },
  ],
  Environment: { WANDB_RUN_ID: "r1", WANDB_API_KEY: "********", HF_TOKEN: "********", LR: "0.1" },
  Tags: [{ Key: "WandbRunId", Value: "r1" }],
  ...changes,
});

describe("diffRequests", () => {
  test("says nothing of requests that say the same, in whatever order", () => {
    const turned = Object.fromEntries(Object.entries(request()).reverse());
    expect(
      diffRequests(request(), { ...turned, InputDataConfig: [...(turned.InputDataConfig as [])].reverse() }),
    ).toEqual([]);
  });

  test("names each place, members of lists by their names", () => {
    const right = request({
      ResourceConfig: { InstanceType: "ml.g5.xlarge", InstanceCount: 1, VolumeSizeInGB: 10 },
      InputDataConfig: [
        { ChannelName: "test", ContentType: "c" },
        { ChannelName: "more", ContentType: "d" },
      ],
      EnableManagedSpotTraining: true,
    });
    expect(diffRequests(request(), right)).toEqual([
      { path: "ResourceConfig.InstanceType", left: "ml.m5.large", right: "ml.g5.xlarge" },
      { path: "InputDataConfig[train]", left: { ChannelName: "train", ContentType: "a" }, right: undefined },
      { path: "InputDataConfig[test].ContentType", left: "b", right: "c" },
      { path: "InputDataConfig[more]", left: undefined, right: { ChannelName: "more", ContentType: "d" } },
      { path: "EnableManagedSpotTraining", left: undefined, right: true },
    ]);
  });

  test("lists without names, and values of another kind", () => {
    expect(diffRequests({ a: ["x", "y"], b: { c: 1 } }, { a: ["x", "z", "w"], b: [1] })).toEqual([
      { path: "a[1]", left: "y", right: "z" },
      { path: "a[2]", left: undefined, right: "w" },
      { path: "b", left: { c: 1 }, right: [1] },
    ]);
  });

  test("is empty for any value and itself, and turned round it tells the same places", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (a, b) => {
        const [left, right] = [a as JsonObject, b as JsonObject];
        expect(diffRequests(left, structuredClone(left))).toEqual([]);
        const places = (differences: { path: string }[]) => differences.map(({ path }) => path).sort();
        expect(places(diffRequests(left, right))).toEqual(places(diffRequests(right, left)));
      }),
    );
  });
});

test("what is different for every item can be left out", () => {
  expect(withoutItem(request())).toEqual({
    ...request({ Environment: { HF_TOKEN: "********", LR: "0.1" }, Tags: [] }),
    TrainingJobName: undefined,
  });
});

describe("awsCliCommand", () => {
  const argumentsOf = (command: string) =>
    execFileSync("sh", ["-c", `aws() { for each; do printf '%s\\0' "$each"; done; }; ${command}`], { encoding: "utf8" })
      .split("\0")
      .slice(0, -1);

  test("a shell reads exactly the request, without the job's key, and what is masked is named", () => {
    const odd = { "it's": `"$(touch /nowhere)" \\ \`x\` é\n!`, HF_TOKEN: "********" };
    const { command, masked } = awsCliCommand(request({ Environment: { ...odd, WANDB_API_KEY: "********" } }), {
      region: "eu-west-1",
      name: "again",
    });
    const words = argumentsOf(command);
    expect(words.slice(0, -1)).toEqual([
      "sagemaker",
      "create-training-job",
      "--region",
      "eu-west-1",
      "--cli-input-json",
    ]);
    expect(JSON.parse(words.at(-1) ?? "")).toEqual(request({ TrainingJobName: "again", Environment: odd }));
    expect(masked).toEqual(["Environment.HF_TOKEN"]);
  });

  test("without a region and a name it adds nothing", () => {
    const words = argumentsOf(awsCliCommand({ TrainingJobName: "a", Tags: [] }).command);
    expect(words).toEqual(["sagemaker", "create-training-job", "--cli-input-json", expect.any(String)]);
    expect(JSON.parse(words[3] ?? "")).toEqual({ TrainingJobName: "a", Tags: [] });
  });
});
