import { open } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { Digest } from "./digest.ts";
import { type RegistryHttp, type RegistryRequest, reasonOf } from "./registry-http.ts";

/** A blob to upload: a file, or bytes in memory. */
export interface BlobSource {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly content: { readonly path: string } | { readonly data: Buffer };
}

export interface UploadTarget {
  readonly http: RegistryHttp;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly repository: string;
  readonly scopes: RegistryRequest["scopes"];
  readonly progress: (bytes: number) => void;
}

/** Bytes of one piece; above ECR's smallest part (5 MiB), small enough to be held in memory and sent again. */
const PIECE = 16 * 1024 * 1024;
/** Failures in a row, without a byte of progress between them, that end an upload. */
const FAILURES = 4;

/**
 * Uploads a blob in pieces (POST, PATCH..., PUT). When a piece fails, the registry is asked how far it got and the upload
 * goes on from there; when the registry has forgotten the upload, it starts again.
 */
export async function uploadBlob(target: UploadTarget, blob: BlobSource): Promise<void> {
  let sent = 0; // the furthest of all tries: only new ground counts as progress
  for (let failures = 0; ; ) {
    try {
      const progress = (bytes: number) => {
        if (bytes > sent) failures = 0;
        sent = Math.max(sent, bytes);
        target.progress(bytes);
      };
      return await uploadOnce({ ...target, progress }, blob);
    } catch (error) {
      target.signal?.throwIfAborted();
      failures += 1;
      if (failures >= FAILURES || !worthAnotherTry(error)) throw error;
      await target.clock.sleep(300 * 2 ** failures, target.signal);
    }
  }
}

async function uploadOnce(target: UploadTarget, blob: BlobSource): Promise<void> {
  const { http, repository, scopes } = target;
  const action = `take a layer of ${repository}`;
  const begun = await http.send({
    method: "POST",
    url: `/v2/${repository}/blobs/uploads/`,
    scopes,
    action,
    headers: { "content-length": "0" },
  });
  await begun.body?.cancel();
  let location = locationOf(begun, http);
  const smallest = Number(begun.headers.get("oci-chunk-min-length") ?? 0);
  const piece = Math.max(PIECE, Number.isFinite(smallest) ? smallest : 0);
  let at = 0;
  let failures = 0;
  while (at < blob.size) {
    const body = await read(blob, at, Math.min(piece, blob.size - at));
    const patch: RegistryRequest = {
      method: "PATCH",
      url: location,
      scopes,
      action,
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `${at}-${at + body.length - 1}`,
      },
      body,
      tries: 1, // sent again only from where the registry stands
      accept: [416],
    };
    const answer = await http.send(patch).catch((error: unknown) => {
      target.signal?.throwIfAborted();
      return error;
    });
    if (answer instanceof Response && answer.ok) {
      await answer.body?.cancel();
      location = locationOf(answer, http, location);
      at += body.length;
      failures = 0;
      target.progress(at);
      continue;
    }
    if (answer instanceof SlipwayError && !worthAnotherTry(answer)) throw answer;
    // A refused or broken piece: how far did the registry get?
    if (answer instanceof Response) await answer.body?.cancel();
    const status = await http.send({ method: "GET", url: location, scopes, action, accept: [404] });
    await status.body?.cancel();
    const reached = status.status === 404 ? undefined : reachedBytes(status.headers.get("range"));
    if (reached !== undefined && reached > at) failures = 0;
    failures += 1;
    if (reached === undefined || reached > blob.size || failures >= FAILURES) {
      throw answer instanceof Error ? answer : lost(http, action, "the upload was broken off");
    }
    location = locationOf(status, http, location);
    at = reached;
    target.progress(at);
    if (failures > 1) await target.clock.sleep(300 * 2 ** failures, target.signal);
  }
  const end = new URL(location);
  end.searchParams.set("digest", blob.digest);
  const done = await http.send({
    method: "PUT",
    url: end.href,
    scopes,
    action,
    headers: { "content-type": "application/octet-stream", "content-length": "0" },
    tries: 1,
  });
  await done.body?.cancel();
}

/** The upload's next address, relative to the registry if it is written so. */
function locationOf(response: Response, http: RegistryHttp, before?: string): string {
  const location = response.headers.get("location") ?? before;
  if (location === undefined) throw lost(http, "take a layer", "it gave no upload address");
  return new URL(location, http.origin).href;
}

/** Bytes that the registry holds, from `Range: 0-N` (both ends included; `0-0` also stands for none). */
function reachedBytes(range: string | null): number | undefined {
  const end = /^(?:bytes=)?0-(\d+)$/.exec(range ?? "")?.[1];
  return end === undefined ? undefined : Number(end) === 0 ? 0 : Number(end) + 1;
}

async function read(blob: BlobSource, start: number, length: number): Promise<Buffer> {
  if ("data" in blob.content) return blob.content.data.subarray(start, start + length);
  const file = await open(blob.content.path, "r");
  try {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, start + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

function lost(http: RegistryHttp, action: string, detail: string): SlipwayError {
  return new SlipwayError("REGISTRY_FAILED", { values: { registry: http.host, action, detail } });
}

function worthAnotherTry(error: unknown): boolean {
  if (!(error instanceof SlipwayError)) return reasonOf(error) !== "";
  return error.code === "REGISTRY_UNREACHABLE" || error.code === "REGISTRY_FAILED";
}
