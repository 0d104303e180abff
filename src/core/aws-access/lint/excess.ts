import { matchesAction } from "../../iam/pattern.ts";
import type { Policy, Statement } from "../../iam/policy.ts";
import { elementPath, memberPath } from "../../json-path.ts";
import { type AccessNeed, policyOf } from "../policy-document.ts";
import type { Finding, FindingCode } from "./finding.ts";
import { allows, onlyStatement } from "./judge.ts";
import { readOwn } from "./read-own.ts";

/** Condition keys that bound a statement of ours, and what it means that they are lacking. */
const BOUNDS: Readonly<Record<string, { readonly code: FindingCode; readonly atRunTime: string }>> = {
  "iam:PassedToService": {
    code: "PASS_ROLE_TO_ANY_SERVICE",
    atRunTime:
      "whoever has the agent's credentials can give the role to an EC2 instance or a Lambda function of their own",
  },
  "sagemaker:TaggingAction": {
    code: "TAGS_AT_ANY_TIME",
    atRunTime: "tags of jobs can be changed at any time, also those that access is granted by",
  },
  "kms:GrantIsForAWSResource": {
    code: "GRANT_TO_ANYONE",
    atRunTime: "whoever has the credentials can grant the use of the key to anybody",
  },
  "kms:ViaService": {
    code: "CONDITION_LACKING",
    atRunTime: "the key can be used otherwise than by SageMaker",
  },
  "cloudwatch:namespace": {
    code: "CONDITION_LACKING",
    atRunTime: "metrics of other programs can be overwritten",
  },
};

/** Keys whose values are Booleans (their services' authorization reference). */
const BOOLEAN_KEYS = new Set(["kms:grantisforawsresource", "aws:securetransport", "aws:viaawsservice"]);

/** What a policy allows beyond the needs, and what is written oddly. */
export function excessFindings(policy: Policy, needs: readonly AccessNeed[]): Finding[] {
  return policy.statements
    .filter(({ effect }) => effect === "Allow")
    .flatMap((statement) => [
      ...actionFindings(statement, needs),
      ...resourceFindings(policy, statement, needs),
      ...conditionFindings(statement, needs),
    ]);
}

function actionFindings(statement: Statement, needs: readonly AccessNeed[]): Finding[] {
  const place = memberPath(statement.path, statement.actions.not ? "NotAction" : "Action");
  if (statement.actions.not)
    return [
      {
        code: "ACTION_TOO_WIDE",
        severity: "warning",
        path: place,
        message: "everything but some actions is allowed",
        atRunTime: "whatever AWS adds is allowed too",
        cure: "name the actions that are needed",
        actions: [],
      },
    ];
  const needed = [...new Set(needs.flatMap((need) => need.requests.map(({ action }) => action)))];
  return statement.actions.patterns.flatMap((pattern, index): Finding[] => {
    const path = statement.actions.patterns.length === 1 ? place : elementPath(place, index);
    const meant = needed.filter((action) => matchesAction(pattern, action));
    const isPattern = /[*?]/.test(pattern);
    if (meant.length === 0)
      return [
        {
          code: "ACTION_NOT_NEEDED",
          severity: "warning",
          path,
          message: `nothing that is done needs ${pattern}`,
          atRunTime: UNNEEDED[pattern.toLowerCase()] ?? "it is never used, and whoever has the credentials can use it",
          cure: "leave it out",
          actions: [pattern],
        },
      ];
    if (isPattern)
      return [
        {
          code: "ACTION_TOO_WIDE",
          severity: "warning",
          path,
          message: `${pattern} allows more than ${meant.join(", ")}`,
          atRunTime: "whoever has the credentials can do all that the wildcard covers",
          cure: `write ${meant.map((action) => `"${action}"`).join(", ")}`,
          actions: meant,
        },
      ];
    if (pattern === meant[0]) return [];
    return [
      {
        code: "ACTION_CASE",
        severity: "note",
        path,
        message: `AWS writes ${meant[0]}`,
        atRunTime: "nothing: actions are compared without regard to capital letters",
        cure: `write "${meant[0]}"`,
        actions: meant,
      },
    ];
  });
}

const UNNEEDED: Readonly<Record<string, string>> = {
  "ecr:createrepository": "no agent makes repositories; whoever has the credentials can",
  "ecr:describerepositories": "no agent asks for repositories",
  "ecr:batchdeleteimage": "no agent deletes images; whoever has the credentials can, also images of jobs that wait",
  "kms:creategrant": "it is needed only for queues with ResourceConfig.VolumeKmsKeyId, and none of these has one",
};

/** Asks whether a statement also allows calls like the needed ones on other things than those that are needed. */
function resourceFindings(policy: Policy, statement: Statement, needs: readonly AccessNeed[]): Finding[] {
  const alone = onlyStatement(policy, statement.index);
  const enough = readOwn(policyOf(needs));
  const found: { action: string; resource: string; need: AccessNeed }[] = [];
  for (const need of needs) {
    for (const request of need.requests) {
      if (request.resource === "*") continue;
      const strange = othersThan(request.resource).find((resource) => {
        const other = { ...request, resource };
        return allows(alone, other) && !allows(enough, other);
      });
      if (strange !== undefined) found.push({ action: request.action, resource: strange, need });
    }
  }
  const first = found[0];
  if (first === undefined) return [];
  const actions = [...new Set(found.map(({ action }) => action))];
  const place = memberPath(statement.path, statement.resources?.not ? "NotResource" : "Resource");
  return [
    {
      code: "RESOURCE_TOO_WIDE",
      severity: "warning",
      path: place,
      message: `${actions.join(", ")} is allowed on more than is needed, for instance on ${first.resource}`,
      atRunTime: "whoever has the credentials can do it to what has nothing to do with the jobs",
      cure: `name what is needed: ${[first.need.statement.Resource].flat().join(", ")}`,
      statement: first.need.statement,
      actions,
    },
  ];
}

/** Things of the same service that nothing here is about: another name, another kind, another account. */
function othersThan(resource: string): string[] {
  const parts = resource.split(":");
  const head = parts.slice(0, 5);
  const rest = parts.slice(5).join(":");
  const named = (name: string) => [...head, name].join(":");
  const [kind] = rest.split(/[/:]/);
  const separator = rest.includes("/") ? "/" : ":";
  return [
    named(rest.includes("/") || rest.includes(":") ? `${kind}${separator}not-one-of-the-jobs` : "not-one-of-the-jobs"),
    named("another-kind/not-one-of-the-jobs"),
    ...(head[4] === "" || head[4] === undefined ? [] : [[...head.slice(0, 4), "999999999999", rest].join(":")]),
  ];
}

function conditionFindings(statement: Statement, needs: readonly AccessNeed[]): Finding[] {
  const keys = statement.conditions.map(({ key }) => key.toLowerCase());
  const findings: Finding[] = [];
  const told = new Set<string>();
  for (const need of needs) {
    const [action] = need.requests.map((request) => request.action);
    const isMeant =
      action !== undefined &&
      !statement.actions.not &&
      statement.actions.patterns.some((pattern) => matchesAction(pattern, action));
    if (!isMeant) continue;
    for (const key of Object.values(need.statement.Condition ?? {}).flatMap((one) => Object.keys(one))) {
      const bound = BOUNDS[key];
      if (bound === undefined || keys.includes(key.toLowerCase()) || told.has(key)) continue;
      told.add(key);
      findings.push({
        code: bound.code,
        severity: "warning",
        path: statement.path,
        message: `${action} is allowed without a condition on ${key}`,
        atRunTime: bound.atRunTime,
        cure: `add the Condition of the statement ${need.statement.Sid}`,
        statement: need.statement,
        actions: [action],
      });
    }
  }
  for (const { key, operator, path, values } of statement.conditions) {
    if (!BOOLEAN_KEYS.has(key.toLowerCase()) || !operator.startsWith("String")) continue;
    findings.push({
      code: "CONDITION_OPERATOR",
      severity: "note",
      path,
      message: `${key} is a Boolean and stands under ${operator}`,
      atRunTime: "it matches if it is written in small letters; AWS documents Bool",
      cure: `write "Bool": {"${key}": "${values.join()}"}`,
      actions: [],
    });
  }
  return findings;
}
