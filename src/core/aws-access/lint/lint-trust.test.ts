import { describe, expect, it } from "vitest";
import type { JsonValue } from "../../json.ts";
import { type TrustedParty, trustStatement } from "../trust-policy.ts";
import { lintTrust } from "./lint-trust.ts";

const ACCOUNT = { partition: "aws", accountId: "111122223333" };
const PARTIES: readonly TrustedParty[] = [
  { kind: "sagemaker" },
  { kind: "sagemaker", accountId: "111122223333" },
  { kind: "ec2", partition: "aws" },
  { kind: "irsa", ...ACCOUNT, oidcProvider: "oidc.example/id/A", namespace: "ml", serviceAccount: "agent" },
  { kind: "pod-identity", accountId: "111122223333", clusterArn: "arn:aws:eks:eu-west-1:111122223333:cluster/c" },
  { kind: "account", ...ACCOUNT },
  { kind: "account", ...ACCOUNT, principals: ["arn:aws:iam::111122223333:user/mia"], externalId: "x" },
];
const policy = (...statements: object[]) =>
  JSON.parse(JSON.stringify({ Version: "2012-10-17", Statement: statements })) as JsonValue;
const codes = (document: JsonValue, party: TrustedParty) =>
  lintTrust(document, party).map(({ severity, code }) => `${severity} ${code}`);

describe("lint of a trust policy", () => {
  it.each(PARTIES)("finds nothing in the one that is made for %o", (party) => {
    expect(lintTrust(policy(trustStatement(party).statement), party)).toEqual([]);
  });

  it("finds that a role for an account, as the tutorial makes it, cannot be an instance's", () => {
    const byAccount = policy(trustStatement({ kind: "account", ...ACCOUNT }).statement);
    const [finding] = lintTrust(byAccount, { kind: "ec2", partition: "aws" });
    expect(finding).toMatchObject({
      code: "TRUST_MISSING",
      severity: "error",
      statement: { Sid: "InstancesActAsThisRole" },
    });
    expect(finding?.atRunTime).toContain("instance profile");
  });

  it("finds that others are trusted too", () => {
    const anyone = policy({ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" });
    expect(codes(anyone, { kind: "account", ...ACCOUNT })).toEqual(["warning TRUST_TOO_WIDE"]);
    const irsa = PARTIES[3]!;
    const { statement } = trustStatement(irsa);
    const anyPod = policy({
      ...statement,
      Condition: { StringEquals: { "oidc.example/id/A:aud": "sts.amazonaws.com" } },
    });
    expect(codes(anyPod, irsa)).toEqual(["warning TRUST_TOO_WIDE"]);
  });

  it("tells what AWS would not take", () => {
    const withResource = policy({
      Effect: "Allow",
      Principal: { Service: "x" },
      Action: "sts:AssumeRole",
      Resource: "*",
    });
    expect(codes(withResource, { kind: "sagemaker" })).toContain("error POLICY_MALFORMED");
  });
});
