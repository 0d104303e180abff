/**
 * Where the reading of one log stream stands, as text: CloudWatch's forward token, and (because a token is good for 24
 * hours only) the time of the last event read with the number of events read at that very millisecond.
 */
export interface LogCursor {
  readonly token: string | undefined;
  /** Milliseconds since 1970 of the last event; 0 before the first. */
  readonly lastAt: number;
  readonly countAtLast: number;
}

export const START: LogCursor = { token: undefined, lastAt: 0, countAtLast: 0 };

/** `1 LASTAT COUNT TOKEN`; the start is the empty text. */
export function writeLogCursor(cursor: LogCursor): string {
  if (cursor.token === undefined && cursor.countAtLast === 0) return "";
  return `1 ${cursor.lastAt} ${cursor.countAtLast} ${cursor.token ?? ""}`;
}

/** The start for anything that writeLogCursor did not write. */
export function readLogCursor(text: string): LogCursor {
  const match = /^1 (\d+) (\d+) (\S*)$/.exec(text);
  if (match === null) return START;
  return { token: match[3] === "" ? undefined : match[3], lastAt: Number(match[1]), countAtLast: Number(match[2]) };
}

/** The cursor after these events (in stream order) and with this next token. */
export function advanceLogCursor(
  cursor: LogCursor,
  events: readonly { readonly at: number }[],
  token: string | undefined,
): LogCursor {
  let { lastAt, countAtLast } = cursor;
  for (const { at } of events) {
    if (at === lastAt) countAtLast++;
    else {
      lastAt = at;
      countAtLast = 1;
    }
  }
  return { token, lastAt, countAtLast };
}

/** What is new among events read again from the time `cursor.lastAt` on, because the token was refused. */
export function skipSeen<E extends { readonly at: number }>(cursor: LogCursor, events: readonly E[]): E[] {
  let seen = 0;
  return events.filter(({ at }) => at > cursor.lastAt || (at === cursor.lastAt && ++seen > cursor.countAtLast));
}
