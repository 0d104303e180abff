import type { ObjectRecord, ObjectRows } from "./object-rows.ts";

export interface ListQuery {
  readonly prefix: string;
  /** Empty: no grouping. */
  readonly delimiter: string;
  /** Only what comes after this key (or common prefix). */
  readonly after: string;
  readonly maxKeys: number;
}

export type ListEntry =
  | { readonly kind: "object"; readonly name: string; readonly object: ObjectRecord }
  | { readonly kind: "prefix"; readonly name: string };

export interface ListPage {
  readonly entries: readonly ListEntry[];
  readonly isTruncated: boolean;
}

const BATCH = 1000;
/** Greater than every key: no UTF-8 text begins with a byte above that of U+10FFFF, and S3 keys end before it. */
const AFTER_ALL = "\u{10ffff}\u{10ffff}";

/** One page of a bucket's keys in order, those with a common part up to the delimiter taken together. */
export function listPage(rows: ObjectRows, bucket: string, query: ListQuery): ListPage {
  const { prefix, delimiter, after, maxKeys } = query;
  const below = prefix === "" ? AFTER_ALL : `${prefix}${AFTER_ALL}`;
  const entries: ListEntry[] = [];
  let from = afterKey(prefix, delimiter, after);
  for (;;) {
    const limit = Math.min(BATCH, maxKeys - entries.length + 1);
    const batch = rows.range(bucket, from, below, limit);
    let skipTo: string | undefined;
    for (const object of batch) {
      if (entries.length === maxKeys) return { entries, isTruncated: true };
      const group = groupOf(object.key, prefix, delimiter);
      if (group !== undefined) {
        entries.push({ kind: "prefix", name: group });
        skipTo = `${group}${AFTER_ALL}`;
        break;
      }
      entries.push({ kind: "object", name: object.key, object });
    }
    if (skipTo !== undefined) from = skipTo;
    else if (batch.length < limit) return { entries, isTruncated: false };
    else from = `${batch.at(-1)!.key}\u0000`;
  }
}

/** Where to begin: after a key, and if that key lies in a group that has been listed, after the whole group. */
function afterKey(prefix: string, delimiter: string, after: string): string {
  if (after === "") return prefix;
  const group = after.startsWith(prefix) ? groupOf(after, prefix, delimiter) : undefined;
  const next = group === after ? `${group}${AFTER_ALL}` : `${after}\u0000`;
  return compareUtf8(next, prefix) > 0 ? next : prefix;
}

function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The database's order: bytes of the UTF-8. (JavaScript's `<` orders characters beyond U+FFFF differently.) */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}
