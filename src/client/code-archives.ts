import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type Transport, unreachable } from "./client.ts";
import { errorOfBody } from "./errors.ts";

/** Code archives (tar.gz) of an entity, kept by the server under their digest (`sha256:<64 hex>`). */
export interface CodeArchives {
  /** Stores an archive unless the server has it already. Throws the server's refusal. */
  upload(entity: string, digest: string, archive: Uint8Array<ArrayBuffer> | Blob, signal?: AbortSignal): Promise<void>;
  /** The archive's bytes as they come; the caller checks them against the digest. */
  download(entity: string, digest: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

export function createCodeArchives(transport: Transport): CodeArchives {
  const url = (entity: string, digest: string) =>
    `${transport.baseUrl}/code/${encodeURIComponent(entity)}/${encodeURIComponent(digest)}`;
  return {
    async upload(entity, digest, archive, signal) {
      const present = await call(transport, url(entity, digest), { method: "HEAD" }, signal);
      if (present.ok) return;
      const headers = { "content-type": "application/gzip" };
      const response = await call(transport, url(entity, digest), { method: "PUT", headers, body: archive }, signal);
      if (!response.ok) throw await refusal(url(entity, digest), response);
      await response.body?.cancel();
    },
    async download(entity, digest, signal) {
      const response = await call(transport, url(entity, digest), { method: "GET" }, signal);
      if (!response.ok || response.body === null) throw await refusal(url(entity, digest), response);
      return response.body;
    },
  };
}

async function call(transport: Transport, url: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
  try {
    return await transport.fetch(url, {
      ...init,
      headers: { ...transport.headers, ...init.headers },
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw unreachable(transport.baseUrl, cause);
  }
}

async function refusal(url: string, response: Response): Promise<SlipwayError> {
  const text = await response.text();
  if (response.status >= 500) return unreachable(url, new Error(`HTTP ${response.status}`));
  try {
    const told = errorOfBody(JSON.parse(text));
    if (told !== undefined) return told;
  } catch {
    // Not an answer of ours; told below.
  }
  return new SlipwayError("SERVER_ANSWER_INVALID", { values: { url, reason: `HTTP ${response.status}` } });
}
