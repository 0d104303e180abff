import type { Principal } from "../service.ts";

/** One thing that a request wants to do. */
export interface Permission {
  /** `s3:GetObject`. */
  readonly action: string;
  /** ARN of what is acted on, or `*` for actions without a resource. */
  readonly resource: string;
  /** Condition keys of the request (`iam:PassedToService`, `aws:RequestTag/NAME`, ...). */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

/** Whether a principal may do something, and if not, the reason as AWS words it ("because no identity-based policy allows the ... action"). */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/**
 * The one place where a request is allowed or denied; every service asks it before it acts.
 * Everyone who holds valid credentials of the account may do everything in it; policies are stored, not evaluated.
 */
export function authorize(principal: Principal, permission: Permission, accountId: string): Decision {
  if (principal.accountId === accountId) return { allowed: true };
  return {
    allowed: false,
    reason: `because no resource-based policy allows the ${permission.action} action`,
  };
}

/** The sentence of an AccessDenied answer. */
export function deniedText(principal: Principal, permission: Permission, reason: string): string {
  const resource = permission.resource === "*" ? "" : ` on resource: ${permission.resource}`;
  return `User: ${principal.arn} is not authorized to perform: ${permission.action}${resource} ${reason}`;
}
