import { AwsError } from "../service.ts";

export type Tags = Readonly<Record<string, string>>;

export function tagsToXml(tags: Tags): { member: { Key: string; Value: string }[] } {
  return { member: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
}

/** IAM's names: letters, digits and `+=,.@_-`. Throws ValidationError. */
export function checkName(value: string, member: string, maxLength: number): string {
  if (value.length > maxLength) {
    throw invalid(value, member, `Member must have length less than or equal to ${maxLength}`);
  }
  if (!/^[\w+=,.@-]+$/.test(value)) {
    throw new AwsError(
      "ValidationError",
      `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`,
    );
  }
  return value;
}

/** `/` or `/a/b/`. Throws ValidationError. */
export function checkPath(value: string | undefined): string {
  const path = value ?? "/";
  if (path.length > 512 || !/^(\/|\/[\u0021-\u007e]+\/)$/.test(path)) {
    throw new AwsError(
      "ValidationError",
      "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    );
  }
  return path;
}

export function invalid(value: string, member: string, rule: string): AwsError {
  return new AwsError(
    "ValidationError",
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${rule}`,
  );
}

export function noSuchEntity(text: string): AwsError {
  return new AwsError("NoSuchEntity", text, 404);
}

export function alreadyExists(text: string): AwsError {
  return new AwsError("EntityAlreadyExists", text, 409);
}

export function deleteConflict(text: string): AwsError {
  return new AwsError("DeleteConflict", text, 409);
}

/** One page of a sorted list; the marker is the last name of the page before. */
export function page<Row>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
  marker: string | undefined,
  maxItems: number,
): { rows: Row[]; isTruncated: boolean; marker?: string } {
  const after = marker === undefined ? "" : Buffer.from(marker, "base64url").toString("utf8");
  const rest = rows.filter((row) => marker === undefined || nameOf(row) > after);
  const shown = rest.slice(0, maxItems);
  const last = shown.at(-1);
  if (rest.length <= maxItems || last === undefined) return { rows: shown, isTruncated: false };
  return { rows: shown, isTruncated: true, marker: Buffer.from(nameOf(last), "utf8").toString("base64url") };
}
