import { describe, expect, it } from "vitest";
import { type TrustedParty, trustStatement } from "./trust-policy.ts";

const account = { partition: "aws", accountId: "111122223333" };

describe("trust policies", () => {
  it.each<[string, TrustedParty, object]>([
    [
      "EC2",
      { kind: "ec2", partition: "aws" },
      { Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" },
    ],
    ["EC2 in China", { kind: "ec2", partition: "aws-cn" }, { Principal: { Service: "ec2.amazonaws.com.cn" } }],
    [
      "a service account",
      {
        kind: "irsa",
        ...account,
        oidcProvider: "https://oidc.example/id/A/",
        namespace: "ml",
        serviceAccount: "agent",
      },
      {
        Principal: { Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A" },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            "oidc.example/id/A:aud": "sts.amazonaws.com",
            "oidc.example/id/A:sub": "system:serviceaccount:ml:agent",
          },
        },
      },
    ],
    [
      "any service account of a namespace",
      { kind: "irsa", ...account, oidcProvider: "oidc.example/id/A", namespace: "ml", serviceAccount: "*" },
      {
        Condition: {
          StringEquals: { "oidc.example/id/A:aud": "sts.amazonaws.com" },
          StringLike: { "oidc.example/id/A:sub": "system:serviceaccount:ml:*" },
        },
      },
    ],
    [
      "Pod Identity",
      { kind: "pod-identity", accountId: "111122223333", clusterArn: "arn:aws:eks:eu-west-1:111122223333:cluster/c" },
      {
        Principal: { Service: "pods.eks.amazonaws.com" },
        Action: ["sts:AssumeRole", "sts:TagSession"],
        Condition: {
          StringEquals: { "aws:SourceAccount": "111122223333" },
          ArnEquals: { "aws:SourceArn": "arn:aws:eks:eu-west-1:111122223333:cluster/c" },
        },
      },
    ],
    [
      "an account",
      { kind: "account", ...account, externalId: "x" },
      {
        Principal: { AWS: "arn:aws:iam::111122223333:root" },
        Condition: { StringEquals: { "sts:ExternalId": "x" } },
      },
    ],
    ["SageMaker", { kind: "sagemaker" }, { Principal: { Service: "sagemaker.amazonaws.com" } }],
    [
      "SageMaker for one account",
      { kind: "sagemaker", accountId: "111122223333" },
      { Condition: { StringEquals: { "aws:SourceAccount": "111122223333" } } },
    ],
  ])("for %s", (_, party, expected) => {
    expect(trustStatement(party).statement).toMatchObject({ Effect: "Allow", ...expected });
  });
});
