import { SlipwayError } from "../../../core/errors/slipway-error.ts";

/** Where the bytes of a manifest lie. */
export const manifestFile = (id: string) => `artifacts/manifests/${id}`;

export interface ManifestEntry {
  readonly name: string;
  /** base64 of the MD5; for a reference whatever the other place calls its state. */
  readonly digest: string;
  readonly size: number;
  /** The content lies elsewhere, under this address. */
  readonly ref: string | undefined;
}

/**
 * The entries of a manifest (wandb_manifest.json, version 1: `contents` has for each path its digest, size and, if the
 * content lies elsewhere, `ref`). ARTIFACT_INCOMPLETE tells what is wrong with it.
 */
export function parseManifest(text: string, artifactName: string): readonly ManifestEntry[] {
  const refuse = (problem: string) =>
    new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name: artifactName, problem } });
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw refuse("its manifest is not JSON");
  }
  const { version, contents } = (manifest ?? {}) as { version?: unknown; contents?: unknown };
  if (version !== 1) throw refuse(`its manifest has version ${JSON.stringify(version)}, not 1`);
  if (typeof contents !== "object" || contents === null || Array.isArray(contents)) {
    throw refuse("its manifest has no contents");
  }
  return Object.entries(contents).map(([name, value]) => {
    const { digest, size, ref } = (value ?? {}) as { digest?: unknown; size?: unknown; ref?: unknown };
    if (typeof digest !== "string") throw refuse(`${name} has no digest in its manifest`);
    const bytes = size ?? 0;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
      throw refuse(`${name} has the size ${JSON.stringify(size)} in its manifest`);
    }
    return { name, digest, size: bytes, ref: typeof ref === "string" ? ref : undefined };
  });
}
