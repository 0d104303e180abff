import type { IncomingMessage } from "node:http";
import { bytesFields, readFields, textField } from "./protobuf.ts";

/** How a build ended. */
export interface BuildOutcome {
  /** `sha256:...` of the image; undefined if it failed. */
  readonly imageId: string | undefined;
  readonly failure: BuildFailure | undefined;
}

export interface BuildFailure {
  /** The engine's words. */
  readonly message: string;
  /** What it was doing: `RUN make`, with its place where the builder counts the instructions; undefined: nothing yet. */
  readonly step: { readonly text: string; readonly number?: number } | undefined;
  /** What the step wrote last. */
  readonly lines: readonly string[];
}

const LAST_LINES = 12;
/** Of one line, for people. */
const LINE_LENGTH = 2_000;

/** Every JSON line of an engine's answer. Rejects when the answer breaks off or holds what is not JSON. */
export async function* readMessages(answer: IncomingMessage): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as Record<string, unknown>;
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as Record<string, unknown>;
}

/** Reads a build to its end, the classic builder's or BuildKit's, and tells each line that people want to see. */
export async function readBuild(answer: IncomingMessage, onLine: (line: string) => void): Promise<BuildOutcome> {
  const classic = classicSteps(onLine);
  const buildKit = buildKitSteps(onLine);
  let imageId: string | undefined;
  let message: string | undefined;
  for await (const one of readMessages(answer)) {
    const { id, aux, stream, error, status } = one;
    if (typeof error === "string") message = error;
    else if (id === "moby.buildkit.trace" && typeof aux === "string") buildKit.take(Buffer.from(aux, "base64"));
    else if (typeof (aux as { ID?: unknown } | undefined)?.ID === "string") imageId = (aux as { ID: string }).ID;
    else if (typeof stream === "string") classic.take(stream);
    else if (typeof status === "string" && typeof id !== "string") onLine(status);
  }
  classic.end();
  if (message === undefined) return { imageId, failure: undefined };
  const at = buildKit.failed() ?? classic.current();
  return { imageId: undefined, failure: { message, step: at?.step, lines: at?.lines ?? [] } };
}

interface StepState {
  readonly step: NonNullable<BuildFailure["step"]>;
  readonly lines: string[];
}

function keep(lines: string[], line: string): void {
  if (line.trim() === "") return;
  lines.push(line);
  if (lines.length > LAST_LINES) lines.shift();
}

/** Splits texts that may end anywhere into whole lines. */
function lineSplitter(onLine: (line: string) => void): { take(text: string): void; end(): void } {
  let rest = "";
  const tell = (line: string) => {
    // A bar that is drawn over itself: its last state.
    const shown = line.replace(/\r$/, "").replace(/^.*\r/, "").trimEnd();
    if (shown !== "") onLine(shown.slice(0, LINE_LENGTH));
  };
  return {
    take(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      lines.forEach(tell);
    },
    end() {
      tell(rest);
      rest = "";
    },
  };
}

interface BuildKitStep {
  step: NonNullable<BuildFailure["step"]>;
  readonly lines: string[];
  told: boolean;
  error: string;
  readonly output: ReturnType<typeof lineSplitter>;
}

function classicSteps(onLine: (line: string) => void) {
  let now: StepState | undefined;
  const lines = lineSplitter((line) => {
    const match = /^Step (\d+)\/\d+ : (.*)$/.exec(line);
    if (match !== null) now = { step: { text: match[2]!, number: Number(match[1]) }, lines: [] };
    // ` ---> 456149c641f8`: of no use to people.
    else if (/^ ---> (?!Using cache)/.test(line) || /^Removing intermediate container/.test(line)) return;
    else if (now !== undefined) keep(now.lines, line);
    onLine(line);
  });
  return { ...lines, current: () => now };
}

/**
 * BuildKit's messages (StatusResponse of github.com/moby/buildkit/api/services/control/control.proto): 1 is a vertex (1 digest,
 * 3 name, 4 cached, 6 completed, 7 error), 3 a piece of a vertex's output (1 digest, 4 text).
 */
function buildKitSteps(onLine: (line: string) => void) {
  const steps = new Map<string, BuildKitStep>();
  const of = (digest: string) => {
    const known = steps.get(digest);
    if (known !== undefined) return known;
    const lines: string[] = [];
    const output = lineSplitter((line) => {
      keep(lines, line);
      onLine(line);
    });
    const made: BuildKitStep = { step: { text: "" }, lines, told: false, error: "", output };
    steps.set(digest, made);
    return made;
  };
  return {
    take(message: Buffer) {
      const fields = readFields(message);
      for (const vertex of bytesFields(fields, 1).map(readFields)) {
        const one = of(textField(vertex, 1));
        const name = textField(vertex, 3);
        // `[build 2/4] RUN make` is the instruction RUN make.
        one.step = { text: name.replace(/^\[[^\]]*\d+\/\d+\]\s*/, "") };
        one.error = textField(vertex, 7);
        const started = vertex.some((field) => field.number === 5);
        const cached = vertex.some((field) => field.number === 4 && field.value === 1);
        if (!one.told && started && name.startsWith("[") && !name.startsWith("[internal]")) {
          one.told = true;
          onLine(cached ? `${name} (unchanged)` : name);
        }
      }
      for (const log of bytesFields(fields, 3).map(readFields)) of(textField(log, 1)).output.take(textField(log, 4));
    },
    failed(): StepState | undefined {
      for (const one of steps.values()) one.output.end();
      // Steps beside the one that failed are cancelled, which is no failure of theirs.
      return [...steps.values()].find((one) => one.error !== "" && !/context cancell?ed/.test(one.error));
    },
  };
}
