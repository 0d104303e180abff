import { AwsError } from "../service.ts";

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken?: string;
}

/**
 * One page of a list in a stable order. The token names the last item of the page before, so that items which come or go meanwhile neither repeat nor
 * hide others. Throws InvalidParameterException for a token that is none.
 */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  token: string | undefined,
  size: number,
): Page<T> {
  let start = 0;
  if (token !== undefined) {
    const after = Buffer.from(token, "base64url").toString("utf8");
    const index = all.findIndex((item) => keyOf(item) === after);
    if (index >= 0) start = index + 1;
    else start = all.findIndex((item) => keyOf(item) > after);
    if (Buffer.from(after, "utf8").toString("base64url") !== token)
      throw new AwsError(
        "InvalidParameterException",
        "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be a token of an earlier answer'",
      );
    if (start < 0) return { items: [] };
  }
  const items = all.slice(start, start + size);
  const more = start + size < all.length;
  return more ? { items, nextToken: Buffer.from(keyOf(items.at(-1)!)).toString("base64url") } : { items };
}
