import type { LogCursorRecord, LogLineRecord } from "../../store/records.ts";
import type { LeaseRef } from "./items.ts";
import type { Principal } from "./principal.ts";

export interface LogStreamAppend {
  readonly node: string;
  readonly stream: string;
  /** The stored cursor, "" at first. */
  readonly from: string;
  readonly to: string;
  readonly lines: readonly { readonly at: number; readonly text: string }[];
}

export interface LogPage {
  readonly lines: readonly LogLineRecord[];
  /** Pass as `after` to go on: the highest index that has been looked at, -1 at first. */
  readonly next: number;
  /** No line will follow. */
  readonly complete: boolean;
}

export interface LogFilter {
  readonly node?: string | null;
  readonly attempt?: number | null;
}

/** Log lines of items' nodes: exactly once, and on disk before they are acknowledged. */
export interface LogsService {
  /** A stream whose `from` is not the stored cursor is not stored; the answer tells the stored cursor of each stream. */
  append(
    principal: Principal,
    input: { readonly lease: LeaseRef; readonly streams: readonly LogStreamAppend[] },
  ): Promise<readonly LogCursorRecord[]>;
  /** Lines with an index above `after` (absent or -1: from the start). */
  read(
    principal: Principal,
    itemId: string,
    page: LogFilter & { readonly after?: number | null; readonly first?: number | null },
  ): Promise<LogPage>;
  /** The last lines, oldest first. */
  tail(principal: Principal, itemId: string, page: LogFilter & { readonly last: number }): Promise<LogPage>;
}
