import { AwsError, type AwsService } from "../service.ts";

export type Protocol = AwsService["protocol"];

/** Why a request was not accepted as signed by somebody, in the codes and texts of the three kinds of AWS service. */
export type AuthFailure =
  | { readonly kind: "missing" }
  | { readonly kind: "incomplete"; readonly text: string }
  | { readonly kind: "unknown-key"; readonly accessKeyId: string }
  | { readonly kind: "invalid-token" }
  | { readonly kind: "expired-token" }
  | { readonly kind: "wrong-signature"; readonly details: Readonly<Record<string, string>> }
  | { readonly kind: "skewed"; readonly sent: string; readonly now: string; readonly early: boolean }
  | { readonly kind: "presign-expired"; readonly details: Readonly<Record<string, string>> }
  | { readonly kind: "unsigned-headers"; readonly headers: readonly string[] };

/** Allowed difference of clocks: S3 documents 15 minutes, the other services 5. */
export const SKEW_MINUTES: Readonly<Record<Protocol, number>> = { "rest-xml": 15, json: 5, query: 5 };

const WRONG_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and " +
  "signing method. Consult the service documentation for details.";
const INVALID_TOKEN = "The security token included in the request is invalid.";

/** The error that the service's clients know. */
export function authError(failure: AuthFailure, protocol: Protocol): AwsError {
  if (protocol === "rest-xml") return s3Error(failure);
  // JSON services answer 400 with names that end in Exception, query services 403 with the bare names.
  const json = protocol === "json";
  const make = (jsonCode: string, queryCode: string, text: string) =>
    json ? new AwsError(jsonCode, text, 400) : new AwsError(queryCode, text, 403);
  switch (failure.kind) {
    case "missing":
      return json
        ? new AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 400)
        : new AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403);
    case "incomplete":
      return make("IncompleteSignatureException", "IncompleteSignature", failure.text);
    case "unknown-key":
    case "invalid-token":
      return make("UnrecognizedClientException", "InvalidClientTokenId", INVALID_TOKEN);
    case "expired-token":
      return make("ExpiredTokenException", "ExpiredToken", "The security token included in the request is expired");
    case "wrong-signature":
    case "presign-expired":
      return make("InvalidSignatureException", "SignatureDoesNotMatch", WRONG_SIGNATURE);
    case "skewed":
      return make("InvalidSignatureException", "SignatureDoesNotMatch", skewText(failure, SKEW_MINUTES[protocol]));
    case "unsigned-headers":
      return make(
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        failure.headers.map((name) => `'${name}' must be a 'SignedHeader' in the AWS Authorization.`).join(" "),
      );
  }
}

function skewText(failure: { sent: string; now: string; early: boolean }, minutes: number): string {
  const limit = timestampOf(timestampMs(failure.now) + (failure.early ? minutes : -minutes) * 60_000);
  return failure.early
    ? `Signature not yet current: ${failure.sent} is still later than ${limit} (${failure.now} + ${minutes} min.)`
    : `Signature expired: ${failure.sent} is now earlier than ${limit} (${failure.now} - ${minutes} min.)`;
}

function s3Error(failure: AuthFailure): AwsError {
  switch (failure.kind) {
    case "missing":
      return new AwsError("AccessDenied", "Access Denied", 403);
    case "incomplete":
      return new AwsError("AuthorizationHeaderMalformed", failure.text, 400);
    case "unknown-key":
      return new AwsError(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        403,
        {
          AWSAccessKeyId: failure.accessKeyId,
        },
      );
    case "invalid-token":
      return new AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400);
    case "expired-token":
      return new AwsError("ExpiredToken", "The provided token has expired.", 400);
    case "wrong-signature":
      return new AwsError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        403,
        failure.details,
      );
    case "skewed":
      return new AwsError(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        403,
        {
          RequestTime: failure.sent,
          ServerTime: new Date(timestampMs(failure.now)).toISOString(),
          MaxAllowedSkewMilliseconds: String(SKEW_MINUTES["rest-xml"] * 60_000),
        },
      );
    case "presign-expired":
      return new AwsError("AccessDenied", "Request has expired", 403, failure.details);
    case "unsigned-headers":
      return new AwsError("AccessDenied", "There were headers present in the request which were not signed", 403, {
        HeadersNotSigned: failure.headers.join(", "),
      });
  }
}

/** `20260102T030405Z` in milliseconds since 1970; NaN if it is not of that form. */
export function timestampMs(timestamp: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** The inverse of `timestampMs`. */
export function timestampOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}
