import type { RunSpec } from "../items/run-spec.ts";
import type { JsonValue } from "../json.ts";

/** How a text refers to an artifact: by its id, or by ENTITY/PROJECT/NAME:ALIAS. */
export type ArtifactReference =
  | { readonly id: string }
  | { readonly entityName: string; readonly projectName: string; readonly name: string };

const SCHEME = "wandb-artifact://";

/**
 * Reads `wandb-artifact://_id/ID`, `wandb-artifact://ENTITY/PROJECT/NAME:ALIAS` and, without a scheme,
 * `ENTITY/PROJECT/NAME:ALIAS`, `PROJECT/NAME:ALIAS` and `NAME:ALIAS`, which are taken to be near `from`. Undefined for
 * any other text.
 */
export function artifactReference(
  text: string,
  from: { readonly entity: string; readonly project: string },
): ArtifactReference | undefined {
  const path = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
  const parts = path.split("/");
  if (parts.some((part) => part === "")) return undefined;
  if (parts[0] === "_id") return parts.length === 2 && parts[1] ? { id: parts[1] } : undefined;
  const name = parts.at(-1);
  if (name === undefined || parts.length > 3) return undefined;
  return {
    entityName: parts.at(-3) ?? from.entity,
    projectName: parts.at(-2) ?? from.project,
    name,
  };
}

/**
 * The artifacts that an item names and its code may therefore read: the job, the values of overrides.artifacts, and every
 * `wandb-artifact://` reference or `{_type: artifactVersion}` value in overrides.run_config.
 */
export function declaredArtifacts(spec: RunSpec): readonly ArtifactReference[] {
  const found: ArtifactReference[] = [];
  const add = (text: string) => {
    const reference = artifactReference(text, spec);
    if (reference) found.push(reference);
  };
  if (spec.job) add(spec.job);
  const { artifacts, run_config: config } = spec.overrides ?? {};
  for (const value of Object.values(artifacts ?? {})) {
    if (typeof value === "string") add(value);
    else collect(value, add);
  }
  collect(config ?? null, add);
  return found;
}

function collect(value: JsonValue, add: (text: string) => void): void {
  if (typeof value === "string") {
    if (value.startsWith(SCHEME)) add(value);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const one of value) collect(one, add);
    return;
  }
  const members = value as { readonly [key: string]: JsonValue };
  if (members._type === "artifactVersion" && typeof members.id === "string") add(`${SCHEME}_id/${members.id}`);
  for (const one of Object.values(members)) collect(one, add);
}
