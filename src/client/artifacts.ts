import type { ArtifactReference } from "../core/artifacts/declared-artifacts.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Client, type Transport, unreachable } from "./client.ts";
import { errorOfBody } from "./errors.ts";
import {
  ArtifactByIdDocument,
  ArtifactByNameAndAliasDocument,
  ArtifactFileAddressesDocument,
  ArtifactManifestAddressDocument,
} from "./generated/operations.ts";

export interface ArtifactVersion {
  readonly id: string;
  readonly type: string;
  readonly deleted: boolean;
}

/** An entry of an artifact's manifest. */
export interface ArtifactEntry {
  /** Path inside the artifact, with forward slashes, as the writer named it: it may lead anywhere. */
  readonly path: string;
  /** Bytes; undefined where the manifest does not say. */
  readonly size: number | undefined;
  /** Base64 of the MD5; of a reference, whatever its store calls the version. */
  readonly digest: string;
  /** Address of a reference, whose content the server does not keep. */
  readonly reference: string | undefined;
  /** Where the content is, good for a while and without credentials; undefined for a reference. */
  readonly url: string | undefined;
}

/** Reads artifacts by the operations that every server of the wandb client's protocol has. */
export interface Artifacts {
  /** Undefined if there is none that the caller may see. */
  find(reference: ArtifactReference, signal?: AbortSignal): Promise<ArtifactVersion | undefined>;
  /** Every entry of a version. */
  entries(id: string, signal?: AbortSignal): Promise<readonly ArtifactEntry[]>;
  /** The content of an entry as it comes; the caller checks it against size and digest. */
  open(entry: ArtifactEntry, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

export function createArtifacts(transport: Transport, request: Client["request"]): Artifacts {
  async function get(url: string, signal: AbortSignal | undefined): Promise<Response> {
    let response: Response;
    try {
      // The address carries its own permission; a header with a key would go to whoever keeps the files.
      response = await transport.fetch(url, signal === undefined ? {} : { signal });
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw unreachable(new URL(url).origin, cause);
    }
    if (response.ok && response.body !== null) return response;
    const { origin } = new URL(url);
    const text = await response.text();
    if (response.status >= 500 || response.status === 429)
      throw unreachable(origin, new Error(`HTTP ${response.status}`));
    throw (
      refusal(text) ??
      new SlipwayError("SERVER_ANSWER_INVALID", { values: { url: origin, reason: `HTTP ${response.status}` } })
    );
  }

  async function addresses(id: string, options: { signal?: AbortSignal }): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    let after: string | null = null;
    do {
      const page: { artifact?: FilesOf | null } = await request(ArtifactFileAddressesDocument, { id, after }, options);
      const files = page.artifact?.files;
      for (const edge of files?.edges ?? []) {
        const { name, directUrl } = edge?.node ?? {};
        if (name && directUrl) found.set(name, directUrl);
      }
      after = files?.pageInfo.hasNextPage ? (files.pageInfo.endCursor ?? null) : null;
    } while (after !== null);
    return found;
  }

  return {
    async find(reference, signal) {
      const options = signal === undefined ? {} : { signal };
      const found =
        "id" in reference
          ? (await request(ArtifactByIdDocument, { id: base64Id(reference.id) }, options)).artifact
          : (
              await request(
                ArtifactByNameAndAliasDocument,
                { entity: reference.entityName, project: reference.projectName, name: withAlias(reference.name) },
                options,
              )
            ).project?.artifactCollectionMembership?.artifact;
      return found ? { id: found.id, type: found.artifactType.name, deleted: found.state === "DELETED" } : undefined;
    },

    async entries(id, signal) {
      const options = signal === undefined ? {} : { signal };
      const { artifact } = await request(ArtifactManifestAddressDocument, { id }, options);
      const address = artifact?.currentManifest?.file.directUrl;
      if (!address) return [];
      const text = await (await get(address, signal)).text();
      const contents = manifestContents(text, address);
      const urls = await addresses(id, options);
      return Object.entries(contents).map(([path, { digest, size, ref }]) => ({
        path,
        digest: String(digest ?? ""),
        size: typeof size === "number" ? size : undefined,
        reference: typeof ref === "string" ? ref : undefined,
        url: urls.get(path),
      }));
    },

    async open(entry, signal) {
      if (entry.url === undefined) throw new Error(`no address of ${entry.path}`);
      const { body } = await get(entry.url, signal);
      return body as ReadableStream<Uint8Array>;
    },
  };
}

interface FilesOf {
  readonly files?: {
    readonly edges: readonly ({ readonly node?: { name: string; directUrl?: string | null } | null } | null)[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
  } | null;
}

interface ManifestEntry {
  readonly digest?: unknown;
  readonly size?: unknown;
  readonly ref?: unknown;
}

/** `{"version": 1, "contents": {PATH: {digest, size, ref?}}}` (wandb/sdk/artifacts/artifact_manifests/artifact_manifest_v1.py). */
function manifestContents(text: string, address: string): Record<string, ManifestEntry> {
  try {
    const { contents } = JSON.parse(text) as { contents?: Record<string, ManifestEntry> };
    if (typeof contents === "object" && contents !== null) return contents;
  } catch {
    // Told below.
  }
  const values = { url: new URL(address).origin, reason: "an artifact's manifest is not what it should be" };
  throw new SlipwayError("SERVER_ANSWER_INVALID", { values });
}

/** Code writes an artifact's id as hexadecimal digits too (wandb/sdk/lib/hashutil.py, hex_to_b64_id). */
function base64Id(id: string): string {
  return /^([0-9a-f]{2})+$/.test(id) ? Buffer.from(id, "hex").toString("base64") : id;
}

const withAlias = (name: string): string => (name.includes(":") ? name : `${name}:latest`);

function refusal(text: string): SlipwayError | undefined {
  try {
    return errorOfBody(JSON.parse(text));
  } catch {
    return undefined;
  }
}
