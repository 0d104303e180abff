/** A condition of a statement: operator, then condition key, then the value or values of which one must match. */
export type PolicyCondition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** One statement of a policy as IAM takes it. A trust policy has a Principal, any other a Resource. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Principal?: Readonly<Record<string, string | readonly string[]>>;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: PolicyCondition;
}

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

/** One call to AWS as IAM judges it. */
export interface AccessRequest {
  /** `sagemaker:CreateTrainingJob` */
  readonly action: string;
  /** ARN of what is acted on; `*` where the action has no resource. */
  readonly resource: string;
  /** Condition keys that the call carries. */
  readonly context: Readonly<Record<string, string | readonly string[]>>;
}

/** Why somebody needs something of AWS: the calls that are made, and the one statement that allows them and nothing else. */
export interface AccessNeed {
  readonly statement: PolicyStatement;
  /** What the calls are for. */
  readonly why: string;
  /** What happens when they are denied. */
  readonly without: string;
  /** Jobs run without it; something is told later, or not at all. */
  readonly optional?: boolean;
  /** Each call that is made, on an example of what the statement's patterns stand for. */
  readonly requests: readonly AccessRequest[];
}

/** A policy of several needs. */
export function policyOf(needs: readonly AccessNeed[]): PolicyDocument {
  return { Version: "2012-10-17", Statement: needs.map((need) => need.statement) };
}

/** A need whose calls are each action of the statement on each of its resources; `context` is what all of them carry. */
export function accessNeed(input: {
  readonly sid: string;
  readonly why: string;
  readonly without: string;
  readonly optional?: boolean;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly condition?: PolicyCondition;
  readonly context?: AccessRequest["context"];
  /** Where the calls are not simply every action on every resource. */
  readonly requests?: readonly AccessRequest[];
}): AccessNeed {
  const context = input.context ?? {};
  return {
    why: input.why,
    without: input.without,
    ...(input.optional === undefined ? {} : { optional: input.optional }),
    statement: {
      Sid: input.sid,
      Effect: "Allow",
      Action: oneOrAll(input.actions),
      Resource: oneOrAll(input.resources),
      ...(input.condition === undefined ? {} : { Condition: input.condition }),
    },
    requests:
      input.requests ??
      input.resources.flatMap((resource) =>
        input.actions.map((action) => ({ action, resource: exampleOf(resource), context })),
      ),
  };
}

/** An ARN that a pattern matches: each `*` inside it stands for a word. `*` alone is what actions without a resource have. */
export function exampleOf(pattern: string): string {
  return pattern === "*" ? "*" : pattern.replaceAll("*", "example");
}

/** A single value is written without the brackets, as people do. */
export function oneOrAll<T>(values: readonly T[]): T | readonly T[] {
  return values.length === 1 ? values[0]! : values;
}
