import type { Readable } from "node:stream";

/** Where files are kept that are too large for rows. Paths are relative, with `/`. */
export interface FileStore {
  /** Appends and syncs to disk; answers the offset at which the bytes begin. One writer per path. */
  append(path: string, bytes: Uint8Array): Promise<number>;
  read(path: string, offset: number, length: number): Promise<Buffer>;
  /**
   * Streams into a file that appears whole, or not at all, and is on disk when this resolves.
   * `check` sees the digest (hex sha256) and size before the file appears; what it throws cancels.
   * Rejects with FileTooLarge beyond `limit` bytes.
   */
  put(
    path: string,
    body: Readable,
    options: { readonly limit: number; check(sha256: string, size: number): void },
  ): Promise<{ sha256: string; size: number }>;
  size(path: string): Promise<number | undefined>;
  stream(path: string): Readable;
  /** Removes a file or a directory with all in it; absent is fine. */
  remove(path: string): Promise<void>;
  close(): Promise<void>;
}

export class FileTooLarge extends Error {}
