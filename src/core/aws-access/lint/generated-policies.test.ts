import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../json.ts";
import { type AccessTargets, accessTargets } from "../access-targets.ts";
import { agentNeeds } from "../agent-access.ts";
import { executionRoleNeeds } from "../execution-role-access.ts";
import { type AccessNeed, policyOf } from "../policy-document.ts";
import { allows } from "./judge.ts";
import { lintPolicy } from "./lint-policy.ts";
import { readOwn } from "./read-own.ts";

/** A queue that uses everything that has a statement of its own. */
const EVERYTHING: JsonObject = {
  RoleArn: "arn:aws:iam::111122223333:role/Train",
  TrainingJobName: "team-${run_id}",
  AlgorithmSpecification: { TrainingImage: "${image_uri}", TrainingInputMode: "File" },
  InputDataConfig: [
    { ChannelName: "a", DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://data/sets/a" } } },
    { ChannelName: "b", DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://more/b/" } } },
  ],
  OutputDataConfig: { S3OutputPath: "s3://out/models", KmsKeyId: "out-key" },
  CheckpointConfig: { S3Uri: "s3://kept/${run_id}" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 30, VolumeKmsKeyId: "alias/volume" },
  VpcConfig: { Subnets: ["subnet-1", "subnet-2"], SecurityGroupIds: ["sg-1"] },
  RemoteDebugConfig: { EnableRemoteDebug: true },
};
const TARGETS: AccessTargets = accessTargets([{ name: "q", config: EVERYTHING, templateVariables: [] }], {
  region: "eu-west-1",
  inputKeys: ["in-key"],
  baseImages: ["777788889999.dkr.ecr.eu-west-1.amazonaws.com/base:1"],
  builds: {
    registryHost: "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
    repository: "training",
    region: "eu-west-1",
    accountId: "111122223333",
    partition: "aws",
  },
});
const ROLES: readonly [string, AccessNeed[]][] = [
  ["agent", agentNeeds(TARGETS)],
  ["execution role", executionRoleNeeds(TARGETS)],
];
const STATEMENTS = ROLES.flatMap(([role, needs]) =>
  needs.map(({ statement }) => [role, statement.Sid, needs] as const),
);
const calls = (needs: readonly AccessNeed[]) =>
  needs.flatMap((need) => need.requests.map((request) => ({ request, sid: need.statement.Sid })));

describe.each(ROLES)("the policy of the %s", (_, needs) => {
  it("allows each call", () => {
    const policy = readOwn(policyOf(needs));
    expect(calls(needs).filter(({ request }) => !allows(policy, request))).toEqual([]);
  });

  it("gives lint nothing to say but that a key has a policy too", () => {
    const findings = lintPolicy(JSON.parse(JSON.stringify(policyOf(needs))), needs, TARGETS);
    expect(findings.map(({ code }) => code)).toEqual(["KEY_POLICY_TOO"]);
  });

  it("allows no call in other words: without its conditions' keys, none that has one", () => {
    const policy = readOwn(policyOf(needs));
    const bound = needs.filter(({ statement }) => statement.Condition !== undefined);
    expect(bound.length).toBeGreaterThan(0);
    const bare = calls(bound).filter(({ request }) => allows(policy, { ...request, context: {} }));
    expect(bare).toEqual([]);
  });
});

describe("without one statement", () => {
  it.each(STATEMENTS)("of the %s, %s, exactly its calls are denied", (_, sid, needs) => {
    const policy = readOwn(policyOf(needs.filter(({ statement }) => statement.Sid !== sid)));
    const denied = calls(needs).filter(({ request }) => !allows(policy, request));
    expect(denied).toEqual(calls(needs).filter((call) => call.sid === sid));
  });

  it.each(STATEMENTS)("of the %s, %s, lint names exactly its actions", (_, sid, needs) => {
    const document = policyOf(needs.filter(({ statement }) => statement.Sid !== sid));
    const missing = lintPolicy(JSON.parse(JSON.stringify(document)), needs, TARGETS).filter(
      ({ code }) => code !== "KEY_POLICY_TOO",
    );
    const need = needs.find(({ statement }) => statement.Sid === sid)!;
    expect(missing.flatMap(({ actions }) => actions).sort()).toEqual(
      [...new Set(need.requests.map(({ action }) => action))].sort(),
    );
    expect(missing.every(({ statement }) => statement?.Sid === sid)).toBe(true);
  });
});
