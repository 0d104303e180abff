import type { PolicyStatement } from "../policy-document.ts";

/** Every kind of finding. Codes are stable; the guide page says what each means. */
export type FindingCode =
  /** A `<placeholder>` was never replaced. */
  | "PLACEHOLDER_LEFT"
  /** AWS would not take the document. */
  | "POLICY_MALFORMED"
  /** A call that is made is not allowed by any statement. */
  | "ACTION_MISSING"
  /** The action stands over resources of another service. */
  | "RESOURCE_OF_OTHER_SERVICE"
  /** The action stands over resources that are not those that the call is about. */
  | "RESOURCE_DOES_NOT_MATCH"
  /** An ARN was put where only its name belongs. */
  | "ARN_INSIDE_ARN"
  /** A condition differs from what the call carries in capital letters alone. */
  | "CONDITION_CASE"
  /** A condition is not met by the call. */
  | "CONDITION_NOT_MET"
  | "EXPLICITLY_DENIED"
  /** Nothing that is done needs the action. */
  | "ACTION_NOT_NEEDED"
  /** The action's wildcard allows more than is needed. */
  | "ACTION_TOO_WIDE"
  | "RESOURCE_TOO_WIDE"
  /** iam:PassRole without iam:PassedToService. */
  | "PASS_ROLE_TO_ANY_SERVICE"
  /** sagemaker:AddTags without sagemaker:TaggingAction. */
  | "TAGS_AT_ANY_TIME"
  /** kms:CreateGrant without kms:GrantIsForAWSResource. */
  | "GRANT_TO_ANYONE"
  /** Another condition that bounds a statement is lacking. */
  | "CONDITION_LACKING"
  /** A Boolean condition key under a string operator. */
  | "CONDITION_OPERATOR"
  /** The action's name is written in other capital letters than AWS writes it. */
  | "ACTION_CASE"
  /** The key's own policy matters too. */
  | "KEY_POLICY_TOO"
  /** The role does not trust whom it should. */
  | "TRUST_MISSING"
  /** The role trusts more than whom it should. */
  | "TRUST_TOO_WIDE";

/** `error`: something fails; `warning`: more is allowed than is needed; `note`: harmless, or not to be seen in the policy. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** JSON path in the policy: `Statement[0].Action[1]`; empty for the whole. */
  readonly path: string;
  /** What is wrong. */
  readonly message: string;
  /** What happens at run time. */
  readonly atRunTime: string;
  /** What to write instead. */
  readonly cure: string;
  /** The statement as it should be. */
  readonly statement?: PolicyStatement;
  /** The calls that it is about. */
  readonly actions: readonly string[];
}
