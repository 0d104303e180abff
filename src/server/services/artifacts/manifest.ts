import { createHash } from "node:crypto";
import { digestText } from "../../../core/artifacts/artifact-manifest.ts";
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

/** A manifest as it came: `contents` has for each path its digest, size and, if the content lies elsewhere, `ref`. */
export interface Manifest {
  readonly contents: Readonly<Record<string, unknown>>;
  readonly [name: string]: unknown;
}

const refuse = (name: string, problem: string) =>
  new SlipwayError("ARTIFACT_INCOMPLETE", { values: { name, problem } });

/** wandb_manifest.json, version 1. ARTIFACT_INCOMPLETE tells what is wrong with it. */
export function parseManifest(text: string, artifactName: string): Manifest {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw refuse(artifactName, "its manifest is not JSON");
  }
  const { version, contents } = (manifest ?? {}) as { version?: unknown; contents?: unknown };
  if (version !== 1) throw refuse(artifactName, `its manifest has version ${JSON.stringify(version)}, not 1`);
  if (typeof contents !== "object" || contents === null || Array.isArray(contents)) {
    throw refuse(artifactName, "its manifest has no contents");
  }
  return manifest as Manifest;
}

export function entriesOf({ contents }: Manifest, artifactName: string): readonly ManifestEntry[] {
  return Object.entries(contents).map(([name, value]) => {
    const { digest, size, ref } = (value ?? {}) as { digest?: unknown; size?: unknown; ref?: unknown };
    if (typeof digest !== "string") throw refuse(artifactName, `${name} has no digest in its manifest`);
    const bytes = size ?? 0;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
      throw refuse(artifactName, `${name} has the size ${JSON.stringify(size)} in its manifest`);
    }
    return { name, digest, size: bytes, ref: typeof ref === "string" ? ref : undefined };
  });
}

/** One manifest of several: of two entries of one path the later counts. */
export function mergeManifests(manifests: readonly [Manifest, ...Manifest[]]): Manifest {
  const contents = Object.fromEntries(manifests.flatMap((one) => Object.entries(one.contents)));
  return { ...manifests[0], contents };
}

/** The artifact's digest (hexadecimal) that goes with these entries. */
export const digestOf = (entries: readonly ManifestEntry[]) =>
  createHash("md5")
    .update(digestText(entries.map(({ name, digest, size }) => ({ path: name, md5: digest, size }))))
    .digest("hex");
