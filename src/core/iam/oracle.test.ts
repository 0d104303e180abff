import { runSimulation } from "@cloud-copilot/iam-simulate";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ApplicablePolicies, evaluate } from "./evaluate.ts";
import type { NamedPolicy, PolicyKind } from "./policy.ts";
import { principalKeys, type Requester } from "./principal.ts";
import { readPolicyObject } from "./read-policy.ts";

const ACCOUNT = "123456789012";
const OTHER = "999999999999";
const USER: Requester = { kind: "user", arn: `arn:aws:iam::${ACCOUNT}:user/ann`, accountId: ACCOUNT };
const ROLE = `arn:aws:iam::${ACCOUNT}:role/Agent`;
const SESSION: Requester = {
  kind: "session",
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Agent/one`,
  roleArn: ROLE,
  accountId: ACCOUNT,
};

interface Document {
  readonly Version: string;
  readonly Statement: readonly Record<string, unknown>[];
}

interface Scene {
  readonly requester: Requester;
  readonly action: string;
  readonly resource: string;
  readonly owner: string;
  readonly context: Record<string, string | string[]>;
  readonly identity: readonly Document[];
  readonly boundary: Document | undefined;
  readonly session: Document | undefined;
  readonly resourcePolicy: Document | undefined;
}

// Few names each, so that policies and requests meet often.
const action = fc.constantFrom("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectTagging");
const resource = fc.constantFrom(
  "arn:aws:s3:::data/a",
  "arn:aws:s3:::data/ann/x",
  "arn:aws:s3:::data/a:b",
  "arn:aws:s3:::other/a",
);
const actionPattern = fc.constantFrom("*", "s3:*", "S3:Get*", "s3:GetObject", "s3:?etObject", "s3:putobject", "ecr:*");
const resourcePattern = fc.constantFrom(
  "*",
  "arn:aws:s3:::*",
  "arn:aws:s3:::data/*",
  "arn:aws:s3:::d?ta/a*",
  "arn:aws:s3:::data/a",
  "arn:*:s3:*:*:other/*",
  "arn:aws:s3:::data/${aws:username}/*",
  "arn:aws:s3:::Data/*",
);
const many = <T>(one: fc.Arbitrary<T>) => fc.oneof(one, fc.array(one, { minLength: 1, maxLength: 3 }));

const TEXTS = ["ml", "ML", "ops", "m*", "a/b"];
const text = fc.constantFrom(...TEXTS);
// A known difference: to the simulator 0.0.0.0/0 is no range that holds every address. It is tested in conditions.test.ts.
const IPS = ["10.1.2.3", "203.0.113.7", "2001:db8::1"];
const ARNS = ["arn:aws:sns:us-east-1:123456789012:topic", "arn:aws:sns:us-west-2:999999999999:other:x"];
const DATES = ["2026-01-01T00:00:00Z", "2026-06-01T12:00:00Z"];
const NUMBERS = ["1", "5", "10"];
const ifExists = (names: readonly string[]) => fc.constantFrom(...names.flatMap((name) => [name, `${name}IfExists`]));
const block = (operator: fc.Arbitrary<string>, key: string, values: fc.Arbitrary<unknown>) =>
  fc.tuple(operator, many(values)).map(([name, value]) => ({ [name]: { [key]: value } }));
const STRINGS = [
  "StringEquals",
  "StringNotEquals",
  "StringEqualsIgnoreCase",
  "StringNotEqualsIgnoreCase",
  "StringLike",
  "StringNotLike",
];
const ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
const condition = fc.oneof(
  block(ifExists(STRINGS), "aws:PrincipalTag/team", fc.constantFrom(...TEXTS, "${aws:username}", "m?", "*")),
  block(
    ifExists(["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]),
    "aws:SourceArn",
    fc.constantFrom(...ARNS, "arn:aws:sns:*:*:*", "arn:aws:s*:us-east-?:123456789012:top*", "arn:*:*:*:999999999999:*"),
  ),
  block(ifExists(["Bool"]), "aws:SecureTransport", fc.constantFrom("true", "false")),
  block(ifExists(ORDERS.map((order) => `Numeric${order}`)), "aws:MultiFactorAuthAge", fc.constantFrom(...NUMBERS)),
  block(
    ifExists(ORDERS.map((order) => `Date${order}`)),
    "aws:CurrentTime",
    fc.constantFrom(...DATES, "2026-03-01T00:00:00Z"),
  ),
  block(
    ifExists(["IpAddress", "NotIpAddress"]),
    "aws:SourceIp",
    fc.constantFrom("10.0.0.0/8", "203.0.113.7", "203.0.113.0/29", "2001:db8::/32", "0.0.0.0/1"),
  ),
  block(fc.constantFrom("Null"), "aws:PrincipalTag/team", fc.constantFrom("true", "false")),
  block(
    fc
      .tuple(fc.constantFrom("ForAllValues", "ForAnyValue"), fc.constantFrom(...STRINGS))
      .map((parts) => parts.join(":")),
    "aws:CalledVia",
    fc.constantFrom(...TEXTS, "m?"),
  ),
);
const conditions = fc.option(
  fc.array(condition, { minLength: 1, maxLength: 2 }).map((blocks) => Object.assign({}, ...blocks)),
  { nil: undefined, freq: 2 },
);
const principal = fc.constantFrom<unknown>(
  "*",
  { AWS: "*" },
  { AWS: ACCOUNT },
  { AWS: `arn:aws:iam::${ACCOUNT}:root` },
  { AWS: (USER as { arn: string }).arn },
  { AWS: ROLE },
  { AWS: (SESSION as { arn: string }).arn },
  { AWS: [OTHER, `arn:aws:iam::${ACCOUNT}:user/bob`] },
  { Service: "sagemaker.amazonaws.com" },
);

const statement = (withPrincipal: boolean) =>
  fc
    .record({
      effect: fc.constantFrom("Allow", "Allow", "Allow", "Deny"),
      actions: fc.tuple(fc.constantFrom("Action", "Action", "Action", "NotAction"), many(actionPattern)),
      resources: fc.tuple(fc.constantFrom("Resource", "Resource", "Resource", "NotResource"), many(resourcePattern)),
      conditions,
      principal,
    })
    .map((parts) => ({
      Effect: parts.effect,
      [parts.actions[0]]: parts.actions[1],
      [parts.resources[0]]: parts.resources[1],
      ...(parts.conditions === undefined ? {} : { Condition: parts.conditions }),
      ...(withPrincipal ? { Principal: parts.principal } : {}),
    }));
const document = (withPrincipal = false): fc.Arbitrary<Document> =>
  fc.record({
    // The simulator knows variables in documents of 2008 too, where AWS takes them as plain text: a difference, and left out.
    Version: fc.constant("2012-10-17"),
    Statement: fc.array(statement(withPrincipal), { minLength: 1, maxLength: 3 }),
  });
/**
 * A known difference: what a resource's policy gives to a session by name, or to everyone, the simulator still limits by session policies. AWS does
 * not (IAM user guide, "Policy evaluation for requests within a single account"), and neither do we.
 */
const namesSessions = (policy: Document | undefined) =>
  policy?.Statement.some(({ Principal }) => /"\*"|assumed-role/.test(JSON.stringify(Principal))) === true;
const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined, freq: 2 });
const sometimes = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 3 });

const scene: fc.Arbitrary<Scene> = fc
  .record({
    requester: fc.constantFrom(USER, SESSION),
    action,
    resource,
    owner: fc.constantFrom(ACCOUNT, ACCOUNT, OTHER),
    team: sometimes(text),
    sourceArn: sometimes(fc.constantFrom(...ARNS)),
    secure: sometimes(fc.constantFrom("true", "false")),
    maxKeys: sometimes(fc.constantFrom(...NUMBERS)),
    time: sometimes(fc.constantFrom(...DATES)),
    ip: sometimes(fc.constantFrom(...IPS)),
    tagKeys: sometimes(fc.uniqueArray(text, { minLength: 1, maxLength: 3 })),
    identity: fc.array(document(), { maxLength: 2 }),
    boundary: maybe(document()),
    session: maybe(document()),
    resourcePolicy: maybe(document(true)),
  })
  .map(({ requester, team, sourceArn, secure, maxKeys, time, ip, tagKeys, ...rest }) => {
    const given = {
      ...principalKeys(requester),
      "aws:PrincipalTag/team": team,
      "aws:SourceArn": sourceArn,
      "aws:SecureTransport": secure,
      "aws:MultiFactorAuthAge": maxKeys,
      "aws:CurrentTime": time,
      "aws:SourceIp": ip,
      "aws:CalledVia": tagKeys,
    };
    const context = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return {
      ...rest,
      requester,
      context: context as Scene["context"],
      session: requester.kind === "session" && !namesSessions(rest.resourcePolicy) ? rest.session : undefined,
    };
  });

const read = (kind: PolicyKind, name: string, given: Document): NamedPolicy => {
  const found = readPolicyObject(given as never, kind);
  if (found.policy === undefined) throw new Error(JSON.stringify(found.problems));
  return { name, policy: found.policy };
};

function ours(given: Scene): string {
  const policies: ApplicablePolicies = {
    identity: given.identity.map((one, index) => read("identity", `identity ${index}`, one)),
    ...(given.boundary === undefined ? {} : { boundary: read("identity", "boundary", given.boundary) }),
    ...(given.session === undefined ? {} : { session: [read("identity", "session", given.session)] }),
    ...(given.resourcePolicy === undefined
      ? {}
      : { resource: { ...read("resource", "resource", given.resourcePolicy), required: false } }),
  };
  const { requester, action, resource, owner, context } = given;
  return evaluate({ requester, action, resource, resourceAccountId: owner, context }, policies).outcome;
}

const WORDS = { Allowed: "allowed", ImplicitlyDenied: "implicitly denied", ExplicitlyDenied: "explicitly denied" };

async function theirs(given: Scene): Promise<string> {
  const answer = await runSimulation(
    {
      request: {
        principal: (given.requester as { arn: string }).arn,
        action: given.action,
        resource: { resource: given.resource, accountId: given.owner },
        contextVariables: given.context,
      },
      identityPolicies: given.identity.map((policy, index) => ({ name: `identity ${index}`, policy })),
      ...(given.boundary === undefined
        ? {}
        : { permissionBoundaryPolicies: [{ name: "boundary", policy: given.boundary }] }),
      sessionPolicy: given.session,
      resourcePolicy: given.resourcePolicy,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error") throw new Error(JSON.stringify(answer.errors));
  return WORDS[answer.overallResult];
}

/**
 * A known difference of words, not of access: where a boundary or a session policy denies what nothing else allows, the simulator calls the denial
 * implicit. Such scenes are compared by whether the request is allowed.
 */
const told = (given: Scene, outcome: string) =>
  given.boundary === undefined && given.session === undefined ? outcome : outcome === "allowed" ? "allowed" : "denied";

test("an independent simulator decides thousands of generated requests alike", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(scene, async (given) => {
      const expected = told(given, await theirs(given));
      seen.set(expected, (seen.get(expected) ?? 0) + 1);
      expect(told(given, ours(given))).toBe(expected);
    }),
    { numRuns: 4000, seed: 20261125 },
  );
  // The scenes are worth their time only while every outcome is common among them.
  for (const outcome of ["allowed", "denied", "implicitly denied", "explicitly denied"]) {
    expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(100);
  }
}, 300_000);
