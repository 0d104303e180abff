import { describe, expect, test } from "vitest";
import type { Principal } from "../service.ts";
import { parsePolicy } from "./policy-document.ts";
import { type Assumer, trusts } from "./trust.ts";

const ACCOUNT = "123456789012";
const principal = (rest: Partial<Principal>): Principal => ({
  type: "user",
  accountId: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:user/ann`,
  userId: "AIDA",
  accessKeyId: "AKIA",
  name: "ann",
  ...rest,
});
const ANN = principal({});
const SESSION = principal({
  type: "assumed-role",
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Agent/one`,
  name: "Agent",
});
const OTHER = principal({ accountId: "999999999999", arn: "arn:aws:iam::999999999999:user/eve", name: "eve" });
const SAGEMAKER = { service: "sagemaker.amazonaws.com" };

const allow = (Principal: unknown, more: object = {}) => ({
  Effect: "Allow",
  Principal,
  Action: "sts:AssumeRole",
  ...more,
});
const policy = (...Statement: object[]) => JSON.stringify({ Version: "2012-10-17", Statement });

describe("trust policies", () => {
  test.each<[string, string, Assumer, boolean]>([
    ["the account names all of its principals", policy(allow({ AWS: ACCOUNT })), ANN, true],
    ["the account's root too", policy(allow({ AWS: `arn:aws:iam::${ACCOUNT}:root` })), SESSION, true],
    ["but not another account's", policy(allow({ AWS: ACCOUNT })), OTHER, false],
    ["a user by ARN", policy(allow({ AWS: [OTHER.arn, ANN.arn] })), ANN, true],
    [
      "a role by ARN, with a path, for its sessions",
      policy(allow({ AWS: `arn:aws:iam::${ACCOUNT}:role/teams/Agent` })),
      SESSION,
      true,
    ],
    ["not for a user of the role's name", policy(allow({ AWS: `arn:aws:iam::${ACCOUNT}:role/ann` })), ANN, false],
    ["everyone", policy(allow("*")), OTHER, true],
    ["a service", policy(allow({ Service: ["ec2.amazonaws.com", "sagemaker.amazonaws.com"] })), SAGEMAKER, true],
    ["an account is no service", policy(allow({ AWS: "*" })), SAGEMAKER, false],
    ["another service", policy(allow({ Service: "ec2.amazonaws.com" })), SAGEMAKER, false],
    ["all of STS", policy(allow({ AWS: ACCOUNT }, { Action: ["sts:TagSession", "sts:*"] })), ANN, true],
    ["another action", policy(allow({ AWS: ACCOUNT }, { Action: "sts:TagSession" })), ANN, false],
    ["a denial wins", policy(allow({ AWS: "*" }), allow({ AWS: ANN.arn }, { Effect: "Deny" })), ANN, false],
  ])("%s", (_name, document, assumer, expected) => {
    expect(trusts(document, assumer, {})).toBe(expected);
  });

  test.each([
    [{ StringEquals: { "sts:ExternalId": "42" } }, { "sts:ExternalId": "42" }, true],
    [{ StringEquals: { "STS:externalid": ["41", "42"] } }, { "sts:ExternalId": "42" }, true],
    [{ StringEquals: { "sts:ExternalId": "42" } }, {}, false],
    [{ StringEqualsIfExists: { "sts:ExternalId": "42" } }, {}, true],
    [{ StringLike: { "sts:RoleSessionName": "night-*" } }, { "sts:RoleSessionName": "night-1" }, true],
    [{ StringLike: { "sts:RoleSessionName": "night.*" } }, { "sts:RoleSessionName": "night-1" }, false],
    [{ StringLike: { "sts:RoleSessionName": "n?g*-*1" } }, { "sts:RoleSessionName": "night-shift-1" }, true],
    [{ StringLike: { "sts:RoleSessionName": "n?g*-*1" } }, { "sts:RoleSessionName": "night-1-shift" }, false],
    [{ StringLike: { "sts:ExternalId": `${"a*".repeat(50)}b` } }, { "sts:ExternalId": "a".repeat(1000) }, false],
    [{ Bool: { "aws:MultiFactorAuthPresent": true } }, {}, false],
  ])("condition %j under %j", (Condition, context, expected) => {
    expect(trusts(policy(allow({ AWS: ACCOUNT }, { Condition })), ANN, context as Record<string, string>)).toBe(
      expected,
    );
  });
});

describe("policy documents that are refused", () => {
  test.each([
    ["trust", "{", "This policy contains invalid Json"],
    ["identity", "{", "The policy is not in the valid JSON format."],
    ["trust", "{}", "Syntax errors in policy."],
    ["trust", policy(allow({ AWS: "*" }, { Resource: "*" })), "Has prohibited field Resource"],
    ["trust", policy({ Effect: "Allow", Action: "sts:AssumeRole" }), "Missing required field Principal"],
    [
      "trust",
      policy(allow({ AWS: "*" }, { Action: "s3:GetObject" })),
      "AssumeRole policy may only specify STS AssumeRole actions.",
    ],
    ["identity", policy(allow({ AWS: "*" }, { Resource: "*" })), "Policy document should not specify a principal."],
    ["identity", policy({ Effect: "Allow", Action: "s3:*" }), "Policy statement must contain resources."],
    ["identity", policy({ Effect: "Allow", Resource: "*" }), "Policy statement must contain actions."],
    ["identity", policy({ Effect: "allow", Action: "s3:*", Resource: "*" }), "Syntax errors in policy."],
    [
      "identity",
      policy({ Effect: "Allow", Action: "GetObject", Resource: "*" }),
      "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ],
  ] as const)("%s: %s", (kind, document, message) => {
    expect(() => parsePolicy(document, kind)).toThrow(
      expect.objectContaining({ code: "MalformedPolicyDocument", message }),
    );
  });
});
