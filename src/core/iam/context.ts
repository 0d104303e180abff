/** Condition keys of a request with their values; a list for keys that hold several (`aws:TagKeys`). Keys may be written in any case. */
export type ContextKeys = Readonly<Record<string, string | readonly string[]>>;

/** Looks up condition keys without regard to case. */
export interface RequestContext {
  /** The values of a key; undefined when the request does not have it. */
  values(key: string): readonly string[] | undefined;
}

export function requestContext(keys: ContextKeys): RequestContext {
  const byName = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(keys)) {
    byName.set(key.toLowerCase(), typeof value === "string" ? [value] : value);
  }
  return { values: (key) => byName.get(key.toLowerCase()) };
}
