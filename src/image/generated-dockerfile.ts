import { posix } from "node:path";
import { CODE_DIRECTORY, DEPENDENCIES_DIRECTORY } from "./layers.ts";
import type { RequirementsFile } from "./requirements-file.ts";

/** A secret of this name is pip's own settings file during the step that installs packages (an index with a password). */
export const PIP_SETTINGS_SECRET = "pip_conf";

export interface GeneratedDockerfile {
  /** As it stands behind FROM. */
  readonly base: string;
  readonly requirements: RequirementsFile | undefined;
  readonly entryPoint: readonly string[];
  /** Directory of the code inside the build context. */
  readonly code: string;
  /** Whether steps may mount caches and secrets. */
  readonly buildKit: boolean;
  /** Names of secrets that the step which installs packages may read, at /run/secrets/NAME. */
  readonly secrets: readonly string[];
}

/**
 * The Dockerfile of code without one: the same directories, variables and entry point as the layer builder's, but packages are
 * installed by the base image's own pip, which can build those that have no wheel. No step goes through a shell.
 */
export function generateDockerfile(from: GeneratedDockerfile): string {
  const { requirements } = from;
  const lines = [`FROM ${from.base}`, `WORKDIR ${CODE_DIRECTORY}`];
  const copyCode = `COPY ${words(`${from.code}/`, `${CODE_DIRECTORY}/`)}`;
  if (requirements === undefined) lines.push(copyCode);
  else {
    // Packages first, so that a change of the code alone leaves their layer as it is.
    const first = requirements.usesCode
      ? [copyCode]
      : requirements.parts.map(
          ({ path }) => `COPY ${words(posix.join(from.code, path), posix.join(CODE_DIRECTORY, path))}`,
        );
    lines.push(...first, `RUN ${mounts(from)}${words(...pip(from, requirements))}`);
    if (!requirements.usesCode) lines.push(copyCode);
    lines.push(
      `ENV PYTHONPATH=${DEPENDENCIES_DIRECTORY}\${PYTHONPATH:+:$PYTHONPATH} PATH=${DEPENDENCIES_DIRECTORY}/bin:$PATH`,
    );
  }
  lines.push(`ENTRYPOINT ${words(...from.entryPoint)}`, "CMD []");
  return `${lines.join("\n")}\n`;
}

function pip({ buildKit }: GeneratedDockerfile, requirements: RequirementsFile): string[] {
  // Isolated (-I), so that no file of the code is taken for a module of pip's.
  const command = ["python3", "-I", "-m", "pip", "install", "--target", DEPENDENCIES_DIRECTORY, "--no-compile"];
  const quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
  return [...command, ...quiet, ...(buildKit ? [] : ["--no-cache-dir"]), "-r", requirements.path];
}

function mounts({ buildKit, secrets }: GeneratedDockerfile): string {
  if (!buildKit) return "";
  const all = ["type=cache,target=/root/.cache/pip"];
  for (const id of secrets)
    all.push(`type=secret,id=${id}${id === PIP_SETTINGS_SECRET ? ",target=/etc/pip.conf" : ""}`);
  return all.map((one) => `--mount=${one} `).join("");
}

/** The form of an instruction that no shell reads; Dockerfiles write it as JSON. */
function words(...all: readonly string[]): string {
  return JSON.stringify(all);
}
