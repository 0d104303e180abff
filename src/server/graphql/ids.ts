import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** Kinds of things that have a global id. */
export type GlobalIdType =
  | "Agent"
  | "ApiKey"
  | "Artifact"
  | "ArtifactAlias"
  | "ArtifactCollection"
  | "ArtifactFile"
  | "ArtifactManifest"
  | "ArtifactMember"
  | "ArtifactType"
  | "Tag"
  | "DefaultResourceConfig"
  | "Entity"
  | "LaunchAgent"
  | "Project"
  | "ProjectInternalId"
  | "RunFile"
  | "RunQueue"
  | "RunQueueItem"
  | "Sweep"
  | "User";

const encode = (text: string) => Buffer.from(text, "utf8").toString("base64");
const decode = (id: string) => Buffer.from(id, "base64").toString("utf8");

/** base64 of `Type:pk`. Opaque to clients, but for runs (see runGlobalId). */
export function globalId(type: GlobalIdType, pk: string | number): string {
  return encode(`${type}:${pk}`);
}

/** The key inside a global id, or undefined if the text is not an id of this type. */
export function keyOf(type: GlobalIdType, id: string): string | undefined {
  const text = decode(id);
  if (!text.startsWith(`${type}:`) || encode(text).replace(/=+$/, "") !== id.replace(/=+$/, "")) return undefined;
  return text.slice(type.length + 1);
}

/** The key inside a global id of this type; anything else is ID_INVALID with the argument's name. */
export function requireKey(type: GlobalIdType, id: string, where: string): string {
  const key = keyOf(type, id);
  if (key === undefined) {
    throw new SlipwayError("REQUEST_INVALID", { values: { problem: `${id} is not the id of a ${type}` }, where });
  }
  return key;
}

/** Where a list of items goes on: an edge's cursor is an id, the end of a page the key inside it. */
export function itemCursor(after: string | null | undefined): string | null {
  return after ? (keyOf("RunQueueItem", after) ?? after) : null;
}

/** A run's id, exactly as the wandb client builds it by itself: base64 of `Run:v1:NAME:PROJECT:ENTITY`. */
export function runGlobalId(run: { readonly name: string; readonly project: string; readonly entity: string }): string {
  return encode(`Run:v1:${run.name}:${run.project}:${run.entity}`);
}

/** The parts of a run's id; undefined for any other text. */
export function runOfId(id: string): { name: string; project: string; entity: string } | undefined {
  const [kind, version, name, project, entity, ...rest] = decode(id).split(":");
  if (kind !== "Run" || version !== "v1" || !name || !project || !entity || rest.length > 0) return undefined;
  return { name, project, entity };
}
