import type { QueryInput } from "../query-protocol.ts";
import { AwsError, type AwsRequest } from "../service.ts";
import type { XmlObject, XmlValue } from "../xml.ts";
import { checkName, invalid, page, type Tags } from "./rows.ts";

/** The name parameter of an action, checked. `UserName` may be absent for the caller's own user. */
export function named(input: QueryInput, parameter: string, maxLength = 128): string {
  const member = parameter.slice(0, 1).toLowerCase() + parameter.slice(1);
  return checkName(input.required(parameter), member, maxLength);
}

/** The user that an action is about: the named one, or the caller. */
export function userNamed(input: QueryInput, { principal }: AwsRequest): string {
  const name = input.optional("UserName");
  if (name !== undefined) return checkName(name, "userName", 128);
  if (principal.type === "user" && principal.name !== undefined) return principal.name;
  throw new AwsError("ValidationError", "Must specify userName when calling with non-User credentials");
}

/** One page of a list action's answer, under the element `member` of `element`. */
export function pageXml<Row>(
  input: QueryInput,
  element: string,
  rows: readonly Row[],
  nameOf: (row: Row) => string,
  toXml: (row: Row) => XmlValue,
): XmlObject {
  const result = page(rows, nameOf, input.optional("Marker"), input.integer("MaxItems", 100, 1, 1000));
  return {
    [element]: { member: result.rows.map(toXml) },
    IsTruncated: result.isTruncated,
    ...(result.marker === undefined ? {} : { Marker: result.marker }),
  };
}

const MAX_TAGS = 50;

/** Adds the tags of a request to those that are there. Throws LimitExceeded beyond 50. */
export function withTags(input: QueryInput): (tags: Tags) => Tags {
  return (tags) => {
    const all = { ...tags, ...input.tags("Tags") };
    if (Object.keys(all).length > MAX_TAGS) {
      throw new AwsError("LimitExceeded", `Cannot exceed quota for TagsPerResource: ${MAX_TAGS}`, 409);
    }
    return all;
  };
}

export function withoutTags(input: QueryInput): (tags: Tags) => Tags {
  const removed = new Set(input.list("TagKeys"));
  return (tags) => Object.fromEntries(Object.entries(tags).filter(([key]) => !removed.has(key)));
}

/** How long sessions of a role may be: 1 to 12 hours, in seconds. */
export function maxSessionSeconds(input: QueryInput): number {
  return input.integer("MaxSessionDuration", 3600, 3600, 43_200);
}

export function oneOf(input: QueryInput, parameter: string, values: readonly string[]): string {
  const value = input.required(parameter);
  if (values.includes(value)) return value;
  const member = parameter.slice(0, 1).toLowerCase() + parameter.slice(1);
  throw invalid(value, member, `Member must satisfy enum value set: [${values.join(", ")}]`);
}
