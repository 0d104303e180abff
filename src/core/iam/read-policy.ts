import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { elementPath, memberPath } from "../json-path.ts";
import { nearest } from "../nearest.ts";
import type { Patterns, Policy, PolicyKind, PolicyProblem, Principals, Statement } from "./policy.ts";
import { checkActions, checkResources } from "./policy-names.ts";
import { Problems, SYNTAX } from "./problems.ts";
import { readConditions } from "./read-conditions.ts";
import { readPrincipals } from "./read-principals.ts";

/** A document that has been read, or all that keeps AWS from taking it. */
export type ReadPolicy =
  | { readonly policy: Policy; readonly problems: readonly [] }
  | { readonly policy?: undefined; readonly problems: readonly [PolicyProblem, ...PolicyProblem[]] };

const POLICY_KEYS = ["Version", "Id", "Statement"];
const STATEMENT_KEYS = [
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];

/**
 * Reads a policy document as AWS does when it is given one, and finds all that is wrong with it at once.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
export function readPolicy(text: string, kind: PolicyKind): ReadPolicy {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const aws = kind === "trust" ? "This policy contains invalid Json" : "The policy is not in the valid JSON format.";
    const problems = new Problems();
    problems.add(
      "",
      aws,
      `the text is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      "mend the JSON",
    );
    return problems.asResult();
  }
  return readPolicyObject(document as JsonValue, kind);
}

/** The same for a document that is already a JSON value. */
export function readPolicyObject(document: JsonValue, kind: PolicyKind): ReadPolicy {
  const problems = new Problems();
  if (!isJsonObject(document)) {
    problems.add(
      "",
      SYNTAX,
      "a policy is a JSON object",
      'write {"Version": "2012-10-17", "Statement": [...]}',
      document,
    );
    return problems.asResult();
  }
  checkKeys(document, "", POLICY_KEYS, problems);
  const version = readVersion(document.Version, problems);
  const given = document.Statement;
  const list = Array.isArray(given) ? (given as readonly JsonValue[]) : undefined;
  if (given === undefined || list?.length === 0) {
    problems.add("Statement", SYNTAX, "the policy has no statement", 'add "Statement": [{"Effect": "Allow", ...}]');
  }
  const statements = (list ?? (given === undefined ? [] : [given])).map((statement, index) =>
    readStatement(statement, index, list === undefined ? "Statement" : elementPath("Statement", index), kind, problems),
  );
  checkSids(statements, kind, problems);
  const found = statements.filter((statement) => statement !== undefined);
  return problems.isEmpty() ? { policy: { version, statements: found }, problems: [] } : problems.asResult();
}

function readVersion(value: JsonValue | undefined, problems: Problems): Policy["version"] {
  if (value === undefined || value === "2008-10-17") return "2008-10-17";
  if (value !== "2012-10-17") {
    problems.add(
      "Version",
      "The policy must contain a valid version string",
      `${JSON.stringify(value)} is no version of the policy language`,
      'write "2012-10-17"',
      value,
    );
  }
  return "2012-10-17";
}

function readStatement(
  value: JsonValue,
  index: number,
  path: string,
  kind: PolicyKind,
  problems: Problems,
): Statement | undefined {
  if (!isJsonObject(value)) {
    problems.add(path, SYNTAX, "a statement is a JSON object", 'write {"Effect": "Allow", "Action": ..., ...}', value);
    return undefined;
  }
  checkKeys(value, path, STATEMENT_KEYS, problems);
  const effect = value.Effect;
  if (effect !== "Allow" && effect !== "Deny") {
    const message = effect === undefined ? "the statement has no Effect" : `${JSON.stringify(effect)} is no effect`;
    problems.add(memberPath(path, "Effect"), SYNTAX, message, 'write "Allow" or "Deny", in this case', effect);
  }
  const sid = value.Sid;
  if (sid !== undefined && typeof sid !== "string") {
    problems.add(memberPath(path, "Sid"), SYNTAX, "Sid is a text", "put it in quotes", sid);
  }
  const actions = eitherOf(value, path, "Action", problems);
  if (actions === undefined) {
    problems.add(
      memberPath(path, "Action"),
      "Policy statement must contain actions.",
      "the statement names no action",
      'add "Action": ["service:Operation"]',
    );
  } else checkActions(actions, path, kind, problems);
  return {
    sid: typeof sid === "string" && sid !== "" ? sid : undefined,
    index,
    path,
    effect: effect === "Deny" ? "Deny" : "Allow",
    actions: actions ?? { not: false, patterns: [] },
    resources: readResources(value, path, kind, problems),
    principals: readPrincipalsOf(value, path, kind, problems),
    conditions: readConditions(value.Condition, memberPath(path, "Condition"), problems),
  };
}

function readResources(
  statement: JsonObject,
  path: string,
  kind: PolicyKind,
  problems: Problems,
): Patterns | undefined {
  const resources = eitherOf(statement, path, "Resource", problems);
  if (kind === "trust") {
    if (resources === undefined) return undefined;
    const cure = "leave it out: a trust policy is about the role that it belongs to";
    problems.add(
      memberPath(path, "Resource"),
      "Has prohibited field Resource",
      "a trust policy names no resource",
      cure,
    );
    return undefined;
  }
  if (resources !== undefined) checkResources(resources, path, problems);
  else if (kind === "identity") {
    problems.add(
      memberPath(path, "Resource"),
      "Policy statement must contain resources.",
      "the statement names no resource",
      'add "Resource" with ARNs, or "*"',
    );
  }
  return resources;
}

function readPrincipalsOf(
  statement: JsonObject,
  path: string,
  kind: PolicyKind,
  problems: Problems,
): Principals | undefined {
  const key = statement.NotPrincipal === undefined ? "Principal" : "NotPrincipal";
  const place = memberPath(path, key);
  if (kind === "identity") {
    if (statement[key] === undefined) return undefined;
    problems.add(
      place,
      "Policy document should not specify a principal.",
      "a policy of a user or a role names no principal",
      "leave it out: the policy speaks of whom it is attached to",
      statement[key],
    );
    return undefined;
  }
  if (statement.Principal !== undefined && statement.NotPrincipal !== undefined) {
    problems.add(place, SYNTAX, "the statement has both Principal and NotPrincipal", "keep one of them");
  }
  const principals = statement[key] === undefined ? undefined : readPrincipals(statement[key]!, place, problems);
  if (statement[key] === undefined) {
    problems.add(
      place,
      "Missing required field Principal",
      "the statement does not say whom it is about",
      kind === "trust" ? 'add "Principal": {"Service": "sagemaker.amazonaws.com"}' : 'add "Principal": {"AWS": "ARN"}',
    );
  }
  return { not: key === "NotPrincipal", byKind: principals ?? {} };
}

/** `KEY` or `NotKEY`, of which a statement has one. */
function eitherOf(statement: JsonObject, path: string, key: string, problems: Problems): Patterns | undefined {
  const negative = `Not${key}`;
  if (statement[key] !== undefined && statement[negative] !== undefined) {
    problems.add(
      memberPath(path, negative),
      SYNTAX,
      `the statement has both ${key} and ${negative}`,
      "keep one of them",
    );
  }
  const not = statement[key] === undefined;
  const value = not ? statement[negative] : statement[key];
  if (value === undefined) return undefined;
  const place = memberPath(path, not ? negative : key);
  const values = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  const patterns = values.filter((item) => typeof item === "string");
  if (patterns.length < values.length) {
    problems.add(place, SYNTAX, `${not ? negative : key} is a text or a list of texts`, "put each in quotes", value);
  }
  return values.length === 0 ? undefined : { not, patterns };
}

function checkKeys(object: JsonObject, path: string, known: readonly string[], problems: Problems): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const cure = near === undefined ? `it may have ${known.join(", ")}` : `write ${near}`;
    problems.add(memberPath(path, key), SYNTAX, `${JSON.stringify(key)} is no element of a policy`, cure, object[key]);
  }
}

function checkSids(statements: readonly (Statement | undefined)[], kind: PolicyKind, problems: Problems): void {
  const seen = new Set<string>();
  for (const statement of statements) {
    if (statement?.sid === undefined) continue;
    const place = memberPath(statement.path, "Sid");
    if (kind !== "resource" && !/^[0-9A-Za-z]*$/.test(statement.sid)) {
      const aws =
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
      const cure = `write "${statement.sid.replace(/[^0-9A-Za-z]/g, "")}"`;
      problems.add(place, aws, `"${statement.sid}" has other characters than letters and digits`, cure, statement.sid);
    }
    if (seen.has(statement.sid)) {
      const aws = "Statement IDs (SID) in a single policy must be unique.";
      problems.add(
        place,
        aws,
        `"${statement.sid}" is the Sid of an earlier statement too`,
        "give it another",
        statement.sid,
      );
    }
    seen.add(statement.sid);
  }
}
