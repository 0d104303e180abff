import { AwsError } from "../service.ts";

/** A policy's statement with every "one or a list" made a list. */
export interface Statement {
  readonly effect: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly resources: readonly string[];
  readonly notResources: readonly string[];
  /** By kind: `AWS`, `Service`, `Federated`; `"*"` is given as `{AWS: ["*"]}`. */
  readonly principals: Readonly<Record<string, readonly string[]>>;
  /** Operator, then condition key, then the values of which one must match. */
  readonly conditions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

const STATEMENT_KEYS = new Set([
  "Sid",
  "Effect",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Principal",
  "NotPrincipal",
  "Condition",
]);

/** Reads a policy document. `kind` says which elements it must and may not have. Throws MalformedPolicyDocument. */
export function parsePolicy(document: string, kind: "identity" | "trust"): Statement[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(document);
  } catch {
    throw malformed(
      kind === "trust" ? "This policy contains invalid Json" : "The policy is not in the valid JSON format.",
    );
  }
  if (!isObject(parsed)) throw malformed("Syntax errors in policy.");
  const version = parsed.Version;
  if (version !== undefined && version !== "2012-10-17" && version !== "2008-10-17")
    throw malformed("The policy must contain a valid version string");
  for (const key of Object.keys(parsed)) {
    if (key !== "Version" && key !== "Id" && key !== "Statement") throw malformed("Syntax errors in policy.");
  }
  const statements = Array.isArray(parsed.Statement) ? parsed.Statement : [parsed.Statement];
  if (statements.length === 0) throw malformed("Syntax errors in policy.");
  return statements.map((statement) => parseStatement(statement, kind));
}

function parseStatement(statement: unknown, kind: "identity" | "trust"): Statement {
  if (!isObject(statement)) throw malformed("Syntax errors in policy.");
  for (const key of Object.keys(statement)) if (!STATEMENT_KEYS.has(key)) throw malformed("Syntax errors in policy.");
  const { Effect: effect } = statement;
  if (effect !== "Allow" && effect !== "Deny") throw malformed("Syntax errors in policy.");
  const actions = texts(statement.Action);
  const notActions = texts(statement.NotAction);
  if (actions.length + notActions.length === 0) throw malformed("Policy statement must contain actions.");
  for (const action of [...actions, ...notActions]) {
    if (action !== "*" && !/^[\w-]+:[\w*?-]+$/.test(action)) {
      throw malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    }
  }
  const resources = texts(statement.Resource);
  const notResources = texts(statement.NotResource);
  const principals = parsePrincipals(statement.Principal);
  const hasPrincipal = statement.Principal !== undefined || statement.NotPrincipal !== undefined;
  if (kind === "trust") {
    if (resources.length + notResources.length > 0) throw malformed("Has prohibited field Resource");
    if (!hasPrincipal) throw malformed("Missing required field Principal");
    for (const action of actions) {
      if (action !== "*" && !/^sts:/i.test(action))
        throw malformed("AssumeRole policy may only specify STS AssumeRole actions.");
    }
  } else {
    if (hasPrincipal) throw malformed("Policy document should not specify a principal.");
    if (resources.length + notResources.length === 0) throw malformed("Policy statement must contain resources.");
  }
  return {
    effect,
    actions,
    notActions,
    resources,
    notResources,
    principals,
    conditions: parseConditions(statement.Condition),
  };
}

function parsePrincipals(principal: unknown): Record<string, string[]> {
  if (principal === undefined) return {};
  if (principal === "*") return { AWS: ["*"] };
  if (!isObject(principal)) throw malformed("Invalid principal in policy");
  return Object.fromEntries(Object.entries(principal).map(([kind, values]) => [kind, texts(values)]));
}

function parseConditions(condition: unknown): Record<string, Record<string, string[]>> {
  if (condition === undefined) return {};
  if (!isObject(condition)) throw malformed("Syntax errors in policy.");
  return Object.fromEntries(
    Object.entries(condition).map(([operator, keys]) => {
      if (!isObject(keys)) throw malformed("Syntax errors in policy.");
      return [operator, Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, texts(values)]))];
    }),
  );
}

function texts(value: unknown): string[] {
  if (value === undefined) return [];
  const values = Array.isArray(value) ? value : [value];
  return values.map((item) => {
    if (typeof item !== "string" && typeof item !== "boolean" && typeof item !== "number")
      throw malformed("Syntax errors in policy.");
    return String(item);
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(text: string): AwsError {
  return new AwsError("MalformedPolicyDocument", text, 400);
}
