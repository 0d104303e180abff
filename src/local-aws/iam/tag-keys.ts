import type { ContextKeys } from "../../core/iam/context.ts";

/** The keys of the tags that a request brings. */
export function tagKeys(tags: Readonly<Record<string, string>>): ContextKeys {
  const names = Object.keys(tags);
  if (names.length === 0) return {};
  return {
    "aws:TagKeys": names,
    ...Object.fromEntries(names.map((name) => [`aws:RequestTag/${name}`, tags[name]!])),
  };
}

/** The keys of the tags that a thing has; `prefixes` are the services' own beside `aws`. */
export function resourceTags(tags: Readonly<Record<string, string>>, ...prefixes: readonly string[]): ContextKeys {
  return Object.fromEntries(
    ["aws", ...prefixes].flatMap((prefix) =>
      Object.entries(tags).map(([name, value]) => [`${prefix}:ResourceTag/${name}`, value]),
    ),
  );
}
