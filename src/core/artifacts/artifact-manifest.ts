/** A file of an artifact, as its manifest names it. */
export interface ManifestFile {
  /** Inside the artifact, with forward slashes. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Base64 of the MD5. */
  readonly md5: string;
}

/**
 * What an artifact's digest (MANIFEST_MD5) is the MD5, in hexadecimal, of: a header, and a line for each file in the order of
 * the paths' code points (wandb/sdk/artifacts/artifact_manifests/artifact_manifest_v1.py). The same files give the same digest
 * whoever writes them.
 */
export function digestText(files: readonly ManifestFile[]): string {
  return `wandb-artifact-manifest-v1\n${inOrder(files)
    .map(({ path, md5 }) => `${path}:${md5}\n`)
    .join("")}`;
}

/** The text of wandb_manifest.json, version 1, for files that the server keeps. */
export function manifestText(files: readonly ManifestFile[]): string {
  return JSON.stringify({
    version: 1,
    storagePolicy: "wandb-storage-policy-v1",
    storagePolicyConfig: { storageLayout: "V2" },
    contents: Object.fromEntries(inOrder(files).map(({ path, md5, size }) => [path, { digest: md5, size }])),
  });
}

const inOrder = (files: readonly ManifestFile[]) => files.toSorted((a, b) => compareCodePoints(a.path, b.path));

/** JavaScript compares UTF-16 units, which puts an emoji before U+FFFD; Python compares code points. */
function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  // Inside a surrogate pair the first half is the same; comparing from it gives the whole code points.
  const start = at > 0 && isHighSurrogate(a.charCodeAt(at - 1)) ? at - 1 : at;
  return (a.codePointAt(start) ?? -1) - (b.codePointAt(start) ?? -1);
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;
