import { isJsonObject, type JsonValue } from "../../json.ts";
import { elementPath, memberPath } from "../../json-path.ts";
import type { AccessTargets } from "../access-targets.ts";
import type { Finding } from "./finding.ts";

const PLACEHOLDER = /<[A-Za-z][^<>]*>/g;

/**
 * Finds what was never replaced, and replaces it by what it plainly stands for, to the letter, so that the rest of the document can be judged:
 * `role/<RoleArn-from-queue-config>` becomes an ARN inside an ARN.
 */
export function fillPlaceholders(
  document: JsonValue,
  targets: AccessTargets,
): { readonly document: JsonValue; readonly findings: Finding[] } {
  const findings: Finding[] = [];
  const fill = (value: JsonValue, path: string): JsonValue => {
    if (typeof value === "string") {
      const found = value.match(PLACEHOLDER);
      if (found === null) return value;
      findings.push({
        code: "PLACEHOLDER_LEFT",
        severity: "error",
        path,
        message: `${found.join(" and ")} still stands there`,
        atRunTime: "the statement matches nothing, or AWS refuses the policy",
        cure: found.map((one) => `put ${meaningOf(one, targets) ?? "your own value"} for ${one}`).join(", "),
        actions: [],
      });
      return value.replace(PLACEHOLDER, (one) => meaningOf(one, targets) ?? one);
    }
    if (Array.isArray(value))
      return (value as readonly JsonValue[]).map((item, at) => fill(item, elementPath(path, at)));
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, memberPath(path, key))]));
  };
  return { document: fill(document, ""), findings };
}

function meaningOf(placeholder: string, targets: AccessTargets): string | undefined {
  const name = placeholder.toLowerCase().replace(/[^a-z]/g, "");
  if (name.includes("region")) return targets.region;
  if (name.includes("account")) return targets.accountId;
  if (name.includes("rolearn")) return targets.executionRoles[0];
  if (name.includes("role")) return targets.executionRoles[0]?.replace(/^.*:role\//, "");
  if (name.includes("kms")) return targets.volumeKeys[0]?.resource ?? someKey(targets);
  if (name.includes("repo"))
    return (targets.buildRepository ?? targets.imageRepositories[0])?.replace(/^.*:repository\//, "");
  return undefined;
}

function someKey({ partition, region, accountId }: AccessTargets): string {
  return `arn:${partition}:kms:${region}:${accountId}:key/example`;
}
