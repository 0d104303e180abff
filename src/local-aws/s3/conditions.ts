import { notImplemented, preconditionFailed } from "./errors.ts";
import type { ObjectRecord, WriteCondition } from "./object-rows.ts";

type Headers = Readonly<Record<string, string>>;

/** The conditions of a read. Throws PreconditionFailed; true: the client's copy is still good (304). */
export function isNotModified(object: ObjectRecord, headers: Headers): boolean {
  // HTTP dates have whole seconds; so has what we tell of an object.
  const modifiedAt = Math.floor(object.modifiedAt / 1000) * 1000;
  const ifMatch = headers["if-match"];
  const ifUnmodifiedSince = Date.parse(headers["if-unmodified-since"] ?? "");
  if (ifMatch !== undefined) {
    if (!etagMatches(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  } else if (modifiedAt > ifUnmodifiedSince) {
    throw preconditionFailed("If-Unmodified-Since");
  }
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) return etagMatches(ifNoneMatch, object.etag);
  return modifiedAt <= Date.parse(headers["if-modified-since"] ?? "");
}

/** The conditions on the source of a copy. Throws PreconditionFailed. */
export function checkCopySource(object: ObjectRecord, headers: Headers): void {
  const renamed: Record<string, string> = {};
  for (const name of ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]) {
    const value = headers[`x-amz-copy-source-${name}`];
    if (value !== undefined) renamed[name] = value;
  }
  if (isNotModified(object, renamed)) throw preconditionFailed("x-amz-copy-source-If-None-Match");
}

/** The conditions of a write. Throws NotImplemented for those that S3 does not know. */
export function writeCondition(headers: Headers): WriteCondition {
  const ifMatch = headers["if-match"];
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") {
    throw notImplemented("If-None-Match", "We don't accept the provided value of If-None-Match header for this API");
  }
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: unquoted(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
  };
}

/** An ETag as clients send it back: with or without quotes. */
export function unquoted(etag: string): string {
  return etag.trim().replace(/^(?:W\/)?"(.*)"$/, "$1");
}

function etagMatches(list: string, etag: string): boolean {
  return list.split(",").some((candidate) => candidate.trim() === "*" || unquoted(candidate) === etag);
}
