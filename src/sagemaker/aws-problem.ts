import type { ItemCause } from "../core/items/item-states.ts";
import { own } from "../core/own.ts";

/** What kind of trouble an AWS call ran into; decides what the agent does next. */
export type AwsProblemKind =
  | "throttled"
  | "quota"
  | "capacity"
  | "in_use"
  | "not_found"
  | "validation"
  | "access_denied"
  | "credentials"
  | "network"
  | "service"
  | "unknown";

/** An AWS failure, sorted. */
export interface AwsProblem {
  readonly kind: AwsProblemKind;
  /** The error's name at AWS or of the system: `ThrottlingException`, `ECONNREFUSED`. */
  readonly code: string;
  /** AWS's own sentence. */
  readonly message: string;
  readonly requestId: string | undefined;
  /** The same call may succeed later, unchanged. */
  readonly passing: boolean;
  /** The item's cause if it ends (or waits) by this. */
  readonly cause: ItemCause;
}

interface Verdict {
  readonly passing: boolean;
  readonly cause: ItemCause;
}

const VERDICTS: Readonly<Record<AwsProblemKind, Verdict>> = {
  throttled: { passing: true, cause: "internal" },
  quota: { passing: true, cause: "quota" },
  capacity: { passing: true, cause: "capacity" },
  in_use: { passing: false, cause: "name_conflict" },
  not_found: { passing: false, cause: "validation" },
  validation: { passing: false, cause: "validation" },
  access_denied: { passing: false, cause: "access_denied" },
  credentials: { passing: true, cause: "credentials" },
  network: { passing: true, cause: "internal" },
  service: { passing: true, cause: "internal" },
  unknown: { passing: false, cause: "internal" },
};

/** Error names as the AWS services and the SDK give them; compared without the suffix "Exception". */
const KINDS: Readonly<Record<string, AwsProblemKind>> = {
  Throttling: "throttled",
  ThrottledException: "throttled",
  TooManyRequests: "throttled",
  RequestLimitExceeded: "throttled",
  RequestThrottled: "throttled",
  SlowDown: "throttled",
  ProvisionedThroughputExceeded: "throttled",
  ResourceLimitExceeded: "quota",
  LimitExceeded: "quota",
  ServiceQuotaExceeded: "quota",
  CapacityError: "capacity",
  InsufficientCapacity: "capacity",
  InsufficientInstanceCapacity: "capacity",
  ResourceInUse: "in_use",
  ResourceNotFound: "not_found",
  ImageNotFound: "not_found",
  RepositoryNotFound: "not_found",
  Validation: "validation",
  ValidationError: "validation",
  InvalidParameter: "validation",
  InvalidParameterValue: "validation",
  Serialization: "validation",
  AccessDenied: "access_denied",
  UnauthorizedOperation: "access_denied",
  NotAuthorized: "access_denied",
  Forbidden: "access_denied",
  OptInRequired: "access_denied",
  ExpiredToken: "credentials",
  RequestExpired: "credentials",
  UnrecognizedClient: "credentials",
  InvalidClientTokenId: "credentials",
  InvalidAccessKeyId: "credentials",
  InvalidSignature: "credentials",
  SignatureDoesNotMatch: "credentials",
  IncompleteSignature: "credentials",
  MissingAuthenticationToken: "credentials",
  CredentialsProviderError: "credentials",
  TokenProviderError: "credentials",
  ECONNREFUSED: "network",
  ECONNRESET: "network",
  ECONNABORTED: "network",
  ENOTFOUND: "network",
  EAI_AGAIN: "network",
  EPIPE: "network",
  EHOSTUNREACH: "network",
  ENETUNREACH: "network",
  ETIMEDOUT: "network",
  TimeoutError: "network",
  RequestTimeout: "network",
  InternalFailure: "service",
  InternalServer: "service",
  InternalServerError: "service",
  InternalError: "service",
  ServiceUnavailable: "service",
};

/** Sorts anything an AWS SDK call may throw. Never throws itself. */
export function classifyAwsError(error: unknown): AwsProblem {
  const raw = (typeof error === "object" && error !== null ? error : {}) as RawAwsError;
  const code =
    raw.name !== undefined && raw.name !== "Error" && raw.name !== "AggregateError" ? raw.name : (raw.code ?? "Error");
  const message = messageOf(raw, error);
  const kind = kindOf(raw, code, message);
  return { kind, code, message, requestId: raw.$metadata?.requestId, ...VERDICTS[kind] };
}

interface RawAwsError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly errors?: readonly { readonly code?: string; readonly message?: string }[];
}

function kindOf(raw: RawAwsError, code: string, message: string): AwsProblemKind {
  // SageMaker says "not found" of a training job as a ValidationException (aws/aws-sdk#165).
  if (code === "ValidationException" && /^(Requested resource not found|Could not find training job)/i.test(message)) {
    return "not_found";
  }
  if (/^Rate exceeded/i.test(message)) return "throttled";
  const named =
    own(KINDS, code.replace(/Exception$/, "")) ??
    own(KINDS, code) ??
    (raw.code === undefined ? undefined : own(KINDS, raw.code));
  if (named !== undefined) return named;
  if (raw.errors?.some((inner) => inner.code !== undefined && own(KINDS, inner.code) === "network")) return "network";
  const status = raw.$metadata?.httpStatusCode;
  if (status !== undefined && status >= 500) return "service";
  if (status === 429) return "throttled";
  if (status === 401 || status === 403) return "access_denied";
  if (status !== undefined && status >= 400) return "validation";
  return /socket hang up|connect|network|timed? ?out/i.test(message) ? "network" : "unknown";
}

function messageOf(raw: RawAwsError, error: unknown): string {
  if (raw.message !== undefined && raw.message !== "") return raw.message;
  const inner = raw.errors?.find((one) => one.message !== undefined && one.message !== "");
  return inner?.message ?? raw.code ?? raw.name ?? String(error);
}
