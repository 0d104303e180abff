import { describe, expect, test } from "vitest";
import { denialText, explainDecision } from "./denial.ts";
import { type AccessRequest, type ApplicablePolicies, type Decision, evaluate } from "./evaluate.ts";
import type { NamedPolicy, PolicyKind } from "./policy.ts";
import type { Requester } from "./principal.ts";
import { readPolicyObject } from "./read-policy.ts";

const ACCOUNT = "123456789012";
const OTHER = "999999999999";
const ANN: Requester = { kind: "user", arn: `arn:aws:iam::${ACCOUNT}:user/ann`, accountId: ACCOUNT, userId: "AIDAANN" };
const SESSION: Requester = {
  kind: "session",
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Agent/one`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/teams/Agent`,
  accountId: ACCOUNT,
};
const ROOT: Requester = { kind: "root", arn: `arn:aws:iam::${ACCOUNT}:root`, accountId: ACCOUNT };
const SAGEMAKER: Requester = { kind: "service", service: "sagemaker.amazonaws.com" };
const OBJECT = "arn:aws:s3:::bucket/key";

const named = (kind: PolicyKind, name: string, ...statements: object[]): NamedPolicy => {
  const read = readPolicyObject({ Version: "2012-10-17", Statement: statements } as never, kind);
  if (read.policy === undefined) throw new Error(JSON.stringify(read.problems));
  return { name, policy: read.policy };
};
const own = (...statements: object[]) => named("identity", "own", ...statements);
const bucket = (...statements: object[]) => ({ ...named("resource", "bucket policy", ...statements), required: false });
const key = (...statements: object[]) => ({ ...named("resource", "key policy", ...statements), required: true });
const trust = (...statements: object[]) => ({ ...named("trust", "trust policy", ...statements), required: true });
const GET = { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/*" };
const DENY = { ...GET, Effect: "Deny" };
const NOTHING = { Effect: "Allow", Action: "iam:ListUsers", Resource: "*" };
const to = (Principal: unknown, statement: object = GET) => ({ ...statement, Principal });

const decide = (requester: Requester, policies: ApplicablePolicies, request: Partial<AccessRequest> = {}): Decision =>
  evaluate({ requester, action: "s3:GetObject", resource: OBJECT, ...request }, policies);
const outcome = (decision: Decision) =>
  decision.outcome === "allowed" ? "allowed" : `${decision.outcome}: ${decision.layer}`;

describe("one account", () => {
  test.each<[string, Requester, ApplicablePolicies, string]>([
    ["nothing is allowed without a word", ANN, {}, "implicitly denied: identity"],
    ["an identity policy allows", ANN, { identity: [own(GET)] }, "allowed"],
    ["a denial wins over it", ANN, { identity: [own(GET), own(DENY)] }, "explicitly denied: identity"],
    [
      "the resource's denial too",
      ANN,
      { identity: [own(GET)], resource: bucket(to("*", DENY)) },
      "explicitly denied: resource",
    ],
    ["the bucket's word is enough", ANN, { resource: bucket(to({ AWS: ANN.arn })) }, "allowed"],
    ["for everyone too", ANN, { resource: bucket(to("*")) }, "allowed"],
    ["for another it is not", ANN, { resource: bucket(to({ AWS: SESSION.arn })) }, "implicitly denied: identity"],
    [
      "the account's name leaves it to the account",
      ANN,
      { resource: bucket(to({ AWS: ACCOUNT })) },
      "implicitly denied: identity",
    ],
    ["a boundary limits", ANN, { identity: [own(GET)], boundary: own(NOTHING) }, "implicitly denied: boundary"],
    ["a boundary grants nothing", ANN, { boundary: own(GET) }, "implicitly denied: identity"],
    [
      "a boundary does not limit what the resource gives a user",
      ANN,
      { boundary: own(NOTHING), resource: bucket(to({ AWS: ANN.arn })) },
      "allowed",
    ],
    [
      "but its denial does",
      ANN,
      { boundary: own(DENY), resource: bucket(to({ AWS: ANN.arn })) },
      "explicitly denied: boundary",
    ],
    [
      "it limits what the resource gives a role",
      SESSION,
      { boundary: own(NOTHING), resource: bucket(to({ AWS: SESSION.roleArn })) },
      "implicitly denied: boundary",
    ],
    [
      "not what it gives a session",
      SESSION,
      { boundary: own(NOTHING), session: [own(NOTHING)], resource: bucket(to({ AWS: SESSION.arn })) },
      "allowed",
    ],
    [
      "a session policy limits the role",
      SESSION,
      { identity: [own(GET)], session: [own(NOTHING)] },
      "implicitly denied: session",
    ],
    [
      "and what the resource gives the role",
      SESSION,
      { session: [own(NOTHING)], resource: bucket(to({ AWS: SESSION.roleArn })) },
      "implicitly denied: session",
    ],
    ["a session policy that allows", SESSION, { identity: [own(GET)], session: [own(GET)] }, "allowed"],
    ["a session policy grants nothing", SESSION, { session: [own(GET)] }, "implicitly denied: identity"],
    ["root may", ROOT, {}, "allowed"],
    ["root may not what the resource denies", ROOT, { resource: bucket(to("*", DENY)) }, "explicitly denied: resource"],
    [
      "everyone but those listed is denied",
      ANN,
      { identity: [own(GET)], resource: bucket({ ...DENY, NotPrincipal: { AWS: [ANN.arn, ACCOUNT] } }) },
      "allowed",
    ],
    [
      "listed by half of the names only",
      ANN,
      { identity: [own(GET)], resource: bucket({ ...DENY, NotPrincipal: { AWS: ANN.arn } }) },
      "explicitly denied: resource",
    ],
  ])("%s", (_name, requester, policies, expected) => {
    expect(outcome(decide(requester, policies))).toBe(expected);
  });
});

describe("across accounts", () => {
  const there = { resourceAccountId: OTHER };
  test.each<[string, Requester, ApplicablePolicies, string]>([
    ["the identity's word is not enough", ANN, { identity: [own(GET)] }, "implicitly denied: resource"],
    ["nor the resource's", ANN, { resource: bucket(to({ AWS: ANN.arn })) }, "implicitly denied: identity"],
    ["both are", ANN, { identity: [own(GET)], resource: bucket(to({ AWS: ANN.arn })) }, "allowed"],
    ["to the account", ANN, { identity: [own(GET)], resource: bucket(to({ AWS: ACCOUNT })) }, "allowed"],
    [
      "to another account",
      ANN,
      { identity: [own(GET)], resource: bucket(to({ AWS: OTHER })) },
      "implicitly denied: resource",
    ],
    [
      "the boundary limits even a session that is named",
      SESSION,
      { identity: [own(GET)], boundary: own(NOTHING), resource: bucket(to({ AWS: SESSION.arn })) },
      "implicitly denied: boundary",
    ],
  ])("%s", (_name, requester, policies, expected) => {
    expect(outcome(decide(requester, policies, there))).toBe(expected);
  });
});

describe("trust and key policies must speak", () => {
  const ASSUME = { action: "sts:AssumeRole", resource: `arn:aws:iam::${ACCOUNT}:role/Train` };
  const allow = (Principal: unknown, more: object = {}) => ({
    Effect: "Allow",
    Action: "sts:AssumeRole",
    Principal,
    ...more,
  });
  const may = own({ Effect: "Allow", Action: "sts:AssumeRole", Resource: ASSUME.resource });
  test.each<[string, Requester, ApplicablePolicies, string]>([
    [
      "a policy of the user's alone",
      ANN,
      { identity: [may], resource: trust(allow({ AWS: OTHER })) },
      "implicitly denied: resource",
    ],
    [
      "the account, and the user's policy",
      ANN,
      { identity: [may], resource: trust(allow({ AWS: ACCOUNT })) },
      "allowed",
    ],
    ["the account alone", ANN, { resource: trust(allow({ AWS: ACCOUNT })) }, "implicitly denied: identity"],
    ["the user by name", ANN, { resource: trust(allow({ AWS: ANN.arn })) }, "allowed"],
    ["a service", SAGEMAKER, { resource: trust(allow({ Service: "sagemaker.amazonaws.com" })) }, "allowed"],
    [
      "another service",
      SAGEMAKER,
      { resource: trust(allow({ Service: "ec2.amazonaws.com" })) },
      "implicitly denied: resource",
    ],
    [
      "everyone is no service's own role",
      SAGEMAKER,
      { resource: trust(allow({ AWS: ACCOUNT })) },
      "implicitly denied: resource",
    ],
  ])("%s", (_name, requester, policies, expected) => {
    expect(outcome(decide(requester, policies, ASSUME))).toBe(expected);
  });

  test("ExternalId and SourceArn are conditions like any other", () => {
    const resource = trust(allow({ AWS: ANN.arn }, { Condition: { StringEquals: { "sts:ExternalId": "42" } } }));
    expect(outcome(decide(ANN, { resource }, { ...ASSUME, context: { "sts:ExternalId": "42" } }))).toBe("allowed");
    const denied = decide(ANN, { resource }, { ...ASSUME, context: { "sts:ExternalId": "41" } });
    expect(outcome(denied)).toBe("implicitly denied: resource");
    expect(explainDecision(denied)).toEqual([
      'Statement[0] of trust policy does not apply: StringEquals sts:ExternalId "42": the request has "41"',
    ]);
  });

  const GRANT = { action: "kms:CreateGrant", resource: `arn:aws:kms:us-east-1:${ACCOUNT}:key/k` };
  const delegate = {
    Effect: "Allow",
    Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
    Action: "kms:*",
    Resource: "*",
  };
  const tutorial = (service: string) =>
    own({
      Effect: "Allow",
      Action: "kms:CreateGrant",
      Resource: GRANT.resource,
      Condition: { StringEquals: { "kms:ViaService": service, "kms:GrantIsForAWSResource": "true" } },
    });
  const context = { "kms:ViaService": "sagemaker.us-east-1.amazonaws.com", "kms:GrantIsForAWSResource": "true" };
  test("a key policy delegates to the account, and ViaService minds the case", () => {
    const lower = { identity: [tutorial("sagemaker.us-east-1.amazonaws.com")] };
    const upper = { identity: [tutorial("SageMaker.us-east-1.amazonaws.com")] };
    const at = { ...GRANT, context };
    expect(outcome(decide(SESSION, { ...lower, resource: key(delegate) }, at))).toBe("allowed");
    expect(outcome(decide(SESSION, { ...lower, resource: key(to({ AWS: ANN.arn }, delegate)) }, at))).toBe(
      "implicitly denied: resource",
    );
    expect(outcome(decide(SESSION, { ...upper, resource: key(delegate) }, at))).toBe("implicitly denied: identity");
    expect(outcome(decide(ROOT, { resource: key(to({ AWS: ANN.arn }, delegate)) }, at))).toBe(
      "implicitly denied: resource",
    );
    expect(outcome(decide(ROOT, { resource: key(delegate) }, at))).toBe("allowed");
  });

  test("a grant of a key allows its operations to its grantee", () => {
    const at = { action: "kms:Decrypt", resource: GRANT.resource };
    const grant = { id: "g", granteePrincipal: (SESSION as { roleArn: string }).roleArn, operations: ["Decrypt"] };
    const resource = key(to({ AWS: ANN.arn }, delegate));
    expect(outcome(decide(SESSION, { resource, grants: [grant] }, at))).toBe("allowed");
    expect(outcome(decide(SESSION, { resource, grants: [grant] }, { ...at, action: "kms:Encrypt" }))).toBe(
      "implicitly denied: resource",
    );
    expect(outcome(decide(SESSION, { resource, grants: [{ ...grant, granteePrincipal: OTHER }] }, at))).toBe(
      "implicitly denied: resource",
    );
    const inContext = { ...grant, encryptionContext: { equals: { job: "a" } } };
    const has = (keys: Record<string, string>) => ({
      ...at,
      context: {
        ...Object.fromEntries(Object.entries(keys).map(([name, value]) => [`kms:EncryptionContext:${name}`, value])),
        "kms:EncryptionContextKeys": Object.keys(keys),
      },
    });
    expect(outcome(decide(SESSION, { resource, grants: [inContext] }, has({ job: "a" })))).toBe("allowed");
    expect(outcome(decide(SESSION, { resource, grants: [inContext] }, has({ job: "a", x: "y" })))).toBe(
      "implicitly denied: resource",
    );
    expect(outcome(decide(SESSION, { resource, grants: [inContext] }, has({ job: "b" })))).toBe(
      "implicitly denied: resource",
    );
  });
});

describe("what a statement speaks of", () => {
  test.each<[object, string, string, boolean]>([
    [{ Action: "S3:getobject" }, "s3:GetObject", OBJECT, true],
    [{ Action: "s3:Get*" }, "s3:GetObjectAcl", OBJECT, true],
    [{ Action: "s3:Ge?Object" }, "s3:GetObject", OBJECT, true],
    [{ Action: "*" }, "s3:GetObject", OBJECT, true],
    [{ NotAction: "s3:Get*" }, "s3:GetObject", OBJECT, false],
    [{ NotAction: ["iam:*", "sts:*"] }, "s3:GetObject", OBJECT, true],
    [{ Resource: "arn:aws:s3:::Bucket/*" }, "s3:GetObject", OBJECT, false],
    [{ Resource: "arn:aws:s3:::*" }, "s3:GetObject", OBJECT, true],
    [{ Resource: "arn:aws:*:*:*:*" }, "s3:GetObject", OBJECT, true],
    [{ Resource: "arn:aws:s3:*:::bucket/*" }, "s3:GetObject", OBJECT, false],
    [{ Resource: "arn:aws:s3:::bucket/k?y" }, "s3:GetObject", OBJECT, true],
    [{ NotResource: "arn:aws:s3:::bucket/*" }, "s3:GetObject", OBJECT, false],
    [{ NotResource: "arn:aws:s3:::other/*" }, "s3:GetObject", OBJECT, true],
    [{ Resource: "arn:aws:s3:::${aws:username}/*" }, "s3:GetObject", "arn:aws:s3:::ann/x", true],
    [{ Resource: "arn:aws:s3:::${aws:PrincipalTag/team}/*" }, "s3:GetObject", "arn:aws:s3:::ann/x", false],
    // The tutorial's: a log action on a resource of SageMaker's.
    [
      { Action: "logs:DescribeLogStreams", Resource: `arn:aws:sagemaker:us-east-1:${ACCOUNT}:*` },
      "logs:DescribeLogStreams",
      `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs:log-stream:`,
      false,
    ],
    [
      { Action: "sagemaker:ListTrainingJobs", Resource: `arn:aws:sagemaker:us-east-1:${ACCOUNT}:*` },
      "sagemaker:ListTrainingJobs",
      "*",
      false,
    ],
  ])("%j, %s on %s: %s", (part, action, resource, expected) => {
    const statement = { Effect: "Allow", ...part } as Record<string, unknown>;
    if (!("Action" in part) && !("NotAction" in part)) statement.Action = "*";
    if (!("Resource" in part) && !("NotResource" in part)) statement.Resource = "*";
    expect(decide(ANN, { identity: [own(statement)] }, { action, resource }).outcome === "allowed").toBe(expected);
  });

  test("keys that follow from who asks", () => {
    const asRole = { ...GET, Condition: { ArnLike: { "aws:PrincipalArn": `arn:aws:iam::${ACCOUNT}:role/teams/*` } } };
    expect(outcome(decide(SESSION, { identity: [own(asRole)] }))).toBe("allowed");
    expect(outcome(decide(ANN, { identity: [own(asRole)] }))).toBe("implicitly denied: identity");
    const tagged = { ...GET, Condition: { StringEquals: { "aws:PrincipalTag/Team": "ml" } } };
    expect(outcome(decide({ ...ANN, tags: { team: "ml" } } as Requester, { identity: [own(tagged)] }))).toBe("allowed");
  });

  test("the statements that decided are named", () => {
    const decision = decide(ANN, { identity: [own(NOTHING, { ...GET, Sid: "Read" })] });
    expect(explainDecision(decision)).toEqual(['statement "Read" of own allows it']);
  });
});

describe("denials read as AWS's", () => {
  const text = (requester: Requester, policies: ApplicablePolicies) =>
    denialText({ requester, action: "s3:GetObject", resource: OBJECT }, decide(requester, policies));
  test.each<[string, Requester, ApplicablePolicies]>([
    ["because no identity-based policy allows the s3:GetObject action", ANN, {}],
    [
      "because no permissions boundary allows the s3:GetObject action",
      ANN,
      { identity: [own(GET)], boundary: own(NOTHING) },
    ],
    [
      "because no session policy allows the s3:GetObject action",
      SESSION,
      { identity: [own(GET)], session: [own(NOTHING)] },
    ],
    ["because no resource-based policy allows the s3:GetObject action", ANN, { resource: key(to({ AWS: OTHER })) }],
    ["with an explicit deny in an identity-based policy", ANN, { identity: [own(DENY)] }],
    ["with an explicit deny in a resource-based policy", ANN, { resource: bucket(to("*", DENY)) }],
    ["with an explicit deny in a permissions boundary", ANN, { boundary: own(DENY) }],
    ["with an explicit deny in a session policy", SESSION, { session: [own(DENY)] }],
  ])("%s", (reason, requester, policies) => {
    const arn = (requester as { arn: string }).arn;
    expect(text(requester, policies)).toBe(
      `User: ${arn} is not authorized to perform: s3:GetObject on resource: ${OBJECT} ${reason}`,
    );
  });
});
