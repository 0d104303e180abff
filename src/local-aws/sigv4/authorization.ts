import { ALGORITHM } from "./canonical.ts";
import type { AuthFailure } from "./failures.ts";
import { isPresignedV2 } from "./presigned-v2.ts";

/** What a request says about its own signature. */
export interface Authorization {
  readonly accessKeyId: string;
  /** `YYYYMMDD` of the credential scope. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** `DATE/REGION/SERVICE/aws4_request`. */
  readonly scope: string;
  /** Lower-case and sorted. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `20260102T030405Z`. */
  readonly timestamp: string;
  readonly sessionToken: string | undefined;
  /** Seconds a presigned URL is good for; absent when the signature came in the header. */
  readonly expiresSeconds?: number;
}

interface RequestHead {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

/** A week, the longest life of a presigned URL. */
const MAX_EXPIRES_SECONDS = 604_800;

/** Whether a request claims to be signed with AWS credentials, in its header or its query. */
export function claimsSignature({ headers, query }: RequestHead): boolean {
  return headers.authorization?.startsWith("AWS4-") === true || query.has("X-Amz-Algorithm") || isPresignedV2(query);
}

/** Reads the signature from the Authorization header or the query of a presigned URL. */
export function parseAuthorization(request: RequestHead): Authorization | AuthFailure {
  if (request.headers.authorization?.startsWith("AWS4-")) return parseHeader(request);
  if (request.query.has("X-Amz-Algorithm")) return parsePresigned(request.query);
  return { kind: "missing" };
}

function parseHeader({ headers }: RequestHead): Authorization | AuthFailure {
  const header = headers.authorization ?? "";
  const space = header.indexOf(" ");
  const fields = new Map<string, string>();
  for (const part of space < 0 ? [] : header.slice(space + 1).split(",")) {
    const equals = part.indexOf("=");
    if (equals > 0) fields.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const missing = ["Credential", "Signature", "SignedHeaders"]
    .filter((name) => !fields.get(name))
    .map((name) => `Authorization header requires '${name}' parameter.`);
  const timestamp = headers["x-amz-date"] ?? fromHttpDate(headers.date);
  if (timestamp === undefined) {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  if (!header.startsWith(`${ALGORITHM} `)) missing.push(`Unsupported AWS 'algorithm': '${header.split(" ", 1)[0]}'.`);
  if (missing.length > 0)
    return { kind: "incomplete", text: `${missing.join(" ")} Authorization=${header.split(" ", 1)[0]}` };
  return build(fields.get("Credential")!, fields.get("SignedHeaders")!, fields.get("Signature")!, timestamp!, {
    sessionToken: headers["x-amz-security-token"],
  });
}

function parsePresigned(query: URLSearchParams): Authorization | AuthFailure {
  const names = ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"] as const;
  const [credential, timestamp, expires, signedHeaders, signature] = names.map((name) => query.get(name) ?? "");
  if (
    query.get("X-Amz-Algorithm") !== ALGORITHM ||
    !credential ||
    !timestamp ||
    !signedHeaders ||
    !signature ||
    !expires
  ) {
    return {
      kind: "incomplete",
      text:
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, " +
        "X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    };
  }
  const expiresSeconds = Number(expires);
  if (!/^\d+$/.test(expires) || expiresSeconds > MAX_EXPIRES_SECONDS) {
    return { kind: "incomplete", text: "X-Amz-Expires must be less than a week (in seconds) that is 604800" };
  }
  return build(credential, signedHeaders, signature, timestamp, {
    sessionToken: query.get("X-Amz-Security-Token") ?? undefined,
    expiresSeconds,
  });
}

function build(
  credential: string,
  signedHeaders: string,
  signature: string,
  timestamp: string,
  rest: { sessionToken: string | undefined; expiresSeconds?: number },
): Authorization | AuthFailure {
  // An access key id has no slash, but nothing else is promised about it: the scope is read from the end.
  const parts = credential.split("/");
  const [date, region, service, terminator] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join("/");
  if (!accessKeyId || !date || !region || !service || terminator !== "aws4_request") {
    return {
      kind: "incomplete",
      text: `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    };
  }
  if (date !== timestamp.slice(0, 8)) {
    return {
      kind: "incomplete",
      text: `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${timestamp.slice(0, 8)}', from '${timestamp}'.`,
    };
  }
  return {
    accessKeyId,
    date,
    region,
    service,
    scope: `${date}/${region}/${service}/aws4_request`,
    signedHeaders: signedHeaders.toLowerCase().split(";").toSorted(),
    signature,
    timestamp,
    ...rest,
  };
}

function fromHttpDate(date: string | undefined): string | undefined {
  const ms = Date.parse(date ?? "");
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}
