import type { JsonValue } from "../json.ts";

/**
 * Where a policy document is used, which decides what it must and may not contain: `identity` (also boundaries and session policies), `trust`
 * (who may assume a role), `resource` (a bucket, a repository, a key).
 */
export type PolicyKind = "identity" | "trust" | "resource";

/** `Action` or `NotAction`, `Resource` or `NotResource`: patterns, and whether everything but them is meant. */
export interface Patterns {
  readonly not: boolean;
  readonly patterns: readonly string[];
}

/** `Principal` or `NotPrincipal`, by kind. `"*"` is read as `{AWS: ["*"]}`. */
export interface Principals {
  readonly not: boolean;
  readonly byKind: Readonly<Record<string, readonly string[]>>;
}

/** One test of a `Condition` block: all keys and all operators of a statement must hold. */
export interface Condition {
  /** As written: `ForAllValues:StringEqualsIfExists`. */
  readonly operator: string;
  /** As written: `aws:SourceArn`. */
  readonly key: string;
  readonly values: readonly string[];
  /** Place in the document: `Statement[0].Condition.StringEquals["aws:SourceArn"]`. */
  readonly path: string;
}

/** A statement with every "one or a list" made a list. */
export interface Statement {
  readonly sid: string | undefined;
  /** Place in the policy, counted from 0. */
  readonly index: number;
  /** Place in the document: `Statement[0]`, or `Statement` for a policy whose one statement is not in a list. */
  readonly path: string;
  readonly effect: "Allow" | "Deny";
  readonly actions: Patterns;
  /** Absent in trust policies. */
  readonly resources: Patterns | undefined;
  /** Absent in identity policies. */
  readonly principals: Principals | undefined;
  readonly conditions: readonly Condition[];
}

/** A policy document that has been read. */
export interface Policy {
  /** Variables such as `${aws:username}` are only known in `2012-10-17`; a document without a version is of 2008. */
  readonly version: "2008-10-17" | "2012-10-17";
  readonly statements: readonly Statement[];
}

/** A policy with the name that answers call it by: `inline policy Train of role Agent`, an ARN, `policy.json`. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: Policy;
}

/** What is wrong with a policy document. */
export interface PolicyProblem {
  /** `Statement[1].Action[0]`; empty for the document as a whole. */
  readonly path: string;
  /** What AWS answers to the document, as its MalformedPolicyDocument says it. */
  readonly aws: string;
  /** What is wrong here, with the value that stands there. */
  readonly message: string;
  /** What to write instead. */
  readonly cure: string;
  /** The value that is wrong, where it is one. */
  readonly value?: JsonValue;
}
