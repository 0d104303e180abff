import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { BuildFailure } from "./build-output.ts";
import { type Instruction, lineOfStep } from "./dockerfile.ts";
import type { Engine } from "./engine.ts";

/** What an engine says of an image that it can't get. */
const MISSING_IMAGE =
  /pull access denied|manifest (?:for .* )?(?:not found|unknown)|repository does not exist|name unknown|: not found$/i;

/**
 * Says in words of people what went wrong in a build: IMAGE_NOT_FOUND for an image of FROM, BUILD_STEP_FAILED for an instruction,
 * with its line of the Dockerfile and what it wrote last, else BUILD_ENGINE_REFUSED.
 */
export function buildError(
  engine: Engine,
  build: { readonly name: string },
  instructions: readonly Instruction[],
  { message, step, lines }: BuildFailure,
): SlipwayError {
  // The frontends put their own names before what happened.
  const reason = message.replace(/^failed to (?:build|solve)[^:]*: (?:rpc error: .*? desc = )?/, "").trim();
  const metadata = /load (?:build definition|metadata) (?:from|for) (\S+)/.exec(step?.text ?? "")?.[1];
  const from = metadata ?? /^FROM\s+(?:--\S+\s+)*(\S+)/.exec(step?.text ?? "")?.[1];
  if (from !== undefined && MISSING_IMAGE.test(reason))
    return new SlipwayError("IMAGE_NOT_FOUND", {
      values: { image: from.replace(/^docker\.io\/library\//, "") },
      where: build.name,
    });
  const parsed = /dockerfile parse error (?:on )?line (\d+): (.*)/is.exec(reason);
  if (parsed !== null) {
    const line = Number(parsed[1]);
    const found = instructions.findLast((one) => one.line <= line);
    return failed(build.name, line, found === undefined ? "?" : textOf(found), parsed[2]!, []);
  }
  if (step === undefined || step.text === "") {
    const values = { host: engine.host, action: `build ${build.name}`, reason: reason || "it says nothing" };
    return new SlipwayError("BUILD_ENGINE_REFUSED", { values, where: build.name });
  }
  const line =
    (step.number === undefined ? undefined : lineOfStep(instructions, { number: step.number })) ??
    lineOfStep(instructions, { text: step.text });
  return failed(build.name, line, step.text, exitWords(reason), lines);
}

function textOf({ keyword, rest }: Instruction): string {
  return `${keyword} ${rest}`.trim();
}

function failed(
  name: string,
  line: number | undefined,
  step: string,
  reason: string,
  lines: readonly string[],
): SlipwayError {
  const noPip = lines.some((one) => /No module named '?pip\b/.test(one));
  return new SlipwayError("BUILD_STEP_FAILED", {
    values: {
      dockerfile: name,
      line: line === undefined ? "" : ` line ${line}`,
      step: step.length > 200 ? `${step.slice(0, 200)}...` : step,
      reason: reason.split("\n")[0]!.slice(0, 500),
      output: lines.length === 0 ? "" : `; its last lines:\n${lines.join("\n")}`,
    },
    where: line === undefined ? name : `${name}:${line}`,
    ...(noPip
      ? {
          hint: "The base image has no pip: choose one that has it, or set builder.type to layer, which installs packages from outside.",
        }
      : {}),
  });
}

/** `process "/bin/sh -c make" did not complete successfully: exit code: 2` repeats the step, which is named beside it. */
function exitWords(reason: string): string {
  const code = /(?:exit code: |returned a non-zero code: )(\d+)/.exec(reason)?.[1];
  return code === undefined ? reason : `exit code ${code}`;
}
