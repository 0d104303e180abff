const EXCEPTION =
  /^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Warning|Exit|Iteration)|[A-Za-z_][\w.]*\.[A-Z]\w+)(?:: |$)/;
const FRAME = /^\s+File "([^"]+)", line (\d+)/;
/** Frames of libraries say less than the one in the person's own code. */
const LIBRARY = /site-packages|dist-packages|\/opt\/slipway\/deps\/|\/lib\/python\d|^<frozen/;

/**
 * What the code said before it ended, from its last log lines (oldest first): a Python exception with the place in the person's own code
 * (`ValueError: no data (train.py line 48)`), else the last line that is not empty. Undefined if it said nothing.
 */
export function lastWords(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => EXCEPTION.test(line));
  if (at < 0) return lines.findLast((line) => line.trim() !== "")?.trim();
  const exception = (lines[at] as string).trim();
  const start = lines.slice(0, at).findLastIndex((line) => line.startsWith("Traceback "));
  if (start < 0) return exception;
  const frames = lines.slice(start, at).flatMap((line) => {
    const frame = FRAME.exec(line);
    return frame ? [{ file: frame[1] as string, line: frame[2] as string }] : [];
  });
  const own = frames.findLast((frame) => !LIBRARY.test(frame.file)) ?? frames.at(-1);
  return own === undefined ? exception : `${exception} (${own.file.split("/").at(-1)} line ${own.line})`;
}
