import { readFile } from "node:fs/promises";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { formatPlatform } from "./oci.ts";
import type { PythonTarget } from "./python-target.ts";

export interface InstallRequest {
  /** The directory of the code: relative paths in the requirements start there. */
  readonly code: string;
  /** Path of the requirements file inside it. */
  readonly requirements: string;
  readonly target: PythonTarget;
  /** A new directory for the packages. */
  readonly into: string;
  readonly python: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * `python -m pip` would put the current directory, the job's code, first on the module path: a file `pip.py` in it would
 * run. This starts pip without it.
 */
const RUN_PIP =
  "import sys; del sys.path[0]; import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)";

/** pip settings that uv does not read: where one is set, pip it is. */
const PIP_SETTINGS = /(index-url|find-links|no-index|trusted-host|proxy|constraint|client-cert|cert)=/;

/**
 * Installs the packages of a requirements file into a directory, with uv where it is installed and pip has no settings of
 * its own on this machine, else with pip. For an image only wheels are taken, so no package code runs here.
 * Errors: PYTHON_INSTALLER_MISSING, PACKAGE_HAS_NO_WHEEL, PACKAGE_NOT_FOUND, DEPENDENCIES_FAILED.
 */
export async function installPackages(request: InstallRequest): Promise<void> {
  const uv = await runCommand("uv", ["--version"], request.signal === undefined ? {} : { signal: request.signal });
  if (uv.status === 0 && !PIP_SETTINGS.test((await runPip(request, ["config", "list"])).stdout)) {
    const result = await runUv(request);
    if (result.status !== 0) throw uvError(request, result);
    return;
  }
  const result = await runPip(request, pipArguments(request), request.onLine);
  if (result.status === 0) return;
  if (result.status === "missing" || /No module named '?pip\b/.test(result.stderr)) {
    const values = { command: `${request.python} -m pip`, file: request.requirements };
    throw new SlipwayError("PYTHON_INSTALLER_MISSING", { values });
  }
  throw await pipError(request, result);
}

function runPip(request: InstallRequest, args: readonly string[], onLine?: (line: string) => void) {
  return runCommand(request.python, ["-c", RUN_PIP, ...args], {
    cwd: request.code,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    ...(onLine === undefined ? {} : { onLine }),
  });
}

function runUv(request: InstallRequest): Promise<CommandResult> {
  const { target } = request;
  const args = ["pip", "install", "--target", request.into, "-r", request.requirements, "--no-progress"];
  args.push("--link-mode", "copy");
  if (target.uvPlatform === undefined) args.push("--python", request.python);
  else {
    args.push("--python-platform", target.uvPlatform, "--python-version", target.version);
    args.push("--only-binary", ":all:");
  }
  return runCommand("uv", args, {
    cwd: request.code,
    onLine: request.onLine,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
}

/** The arguments of pip install; byte code is left out, since it would carry the times and paths of this machine. */
export function pipArguments(request: Pick<InstallRequest, "into" | "requirements" | "target">): string[] {
  const { target } = request;
  const args = ["install", "--target", request.into, "--no-compile", "--no-input", "--no-user"];
  args.push("--disable-pip-version-check", "--progress-bar", "off", "--log", logOf(request));
  if (target.kind === "image") {
    args.push("--only-binary=:all:", "--implementation", "cp", "--python-version", target.version);
    for (const tag of target.tags) args.push("--platform", tag);
  }
  return [...args, "-r", request.requirements];
}

async function pipError(request: InstallRequest, result: CommandResult): Promise<SlipwayError> {
  const missing = /No matching distribution found for (.+)/.exec(result.stderr)?.[1]?.trim();
  if (missing === undefined) return failed(request, result);
  const wanted = missing.replace(/\s*\(from .*$/, "");
  const known = /\(from versions: ([^)]*)\)/.exec(result.stderr)?.[1];
  const log = await readFile(logOf(request), "utf8").catch(() => "");
  if (request.target.kind === "image" && wasSkipped(log, wanted)) return noWheel(request, wanted, known);
  const hint = known === undefined || known === "none" ? undefined : `The index has ${latest(known)}.`;
  const values = { package: wanted };
  const where = request.requirements;
  return new SlipwayError("PACKAGE_NOT_FOUND", { values, where, ...(hint === undefined ? {} : { hint }) });
}

/**
 * Whether pip saw a file of the wanted package and passed it over because it is no wheel, or a wheel for another machine.
 * Its message is the same for a package that does not exist; its log names each file with the reason.
 */
export function wasSkipped(log: string, wanted: string): boolean {
  const [, name = "", version] = /^([\w.-]+?)(?:\[[^\]]*\])?(?:===?([\w.!+]+))?(?:[\s<>=!~;].*)?$/.exec(wanted) ?? [];
  const plain = (text: string) => text.toLowerCase().replace(/[-_.]+/g, "-");
  const release = (text: string) => text.toLowerCase().replace(/(?:\.0)+$/, ""); // 4.2 and 4.2.0 are one version
  const reasons =
    /Skipping link: (?:none of the wheel's tags|No (?:sources|binaries) permitted)[^\n]*?: ((?:https?|file):\S+)/g;
  for (const [, url = ""] of log.matchAll(reasons)) {
    const file = decodeURIComponent(url.replace(/[?#].*$/, "").replace(/^.*\//, ""));
    // NAME-VERSION-TAGS.whl (no hyphen in NAME), or NAME-VERSION.tar.gz
    const parts = /^([^-]+)-([^-]+)-.*\.whl$/.exec(file) ?? /^(.+)-([^-]+?)\.(?:tar\.\w+|tgz|zip)$/.exec(file);
    if (parts === null || plain(parts[1] as string) !== plain(name)) continue;
    if (version === undefined || release(parts[2] as string) === release(version)) return true;
  }
  return false;
}

/** pip's own detailed log, beside the packages. */
function logOf(request: Pick<InstallRequest, "into">): string {
  return `${request.into}.log`;
}

function noWheel(request: InstallRequest, wanted: string, known: string | undefined): SlipwayError {
  const { target } = request;
  const values = { package: wanted, platform: formatPlatform(target.platform), python: target.version };
  const hint = known === undefined || known === "none" ? undefined : `Versions with a wheel for it: ${latest(known)}.`;
  const where = request.requirements;
  return new SlipwayError("PACKAGE_HAS_NO_WHEEL", { values, where, ...(hint === undefined ? {} : { hint }) });
}

function latest(versions: string): string {
  const all = versions.split(", ");
  return all.length <= 6 ? versions : `${all.slice(-6).join(", ")} (and ${all.length - 6} older)`;
}

/** uv's texts: https://github.com/astral-sh/uv/blob/main/crates/uv-resolver/src/pubgrub/report.rs */
function uvError(request: InstallRequest, result: CommandResult): SlipwayError {
  const text = result.stderr.replace(/\s+/g, " ");
  const where = request.requirements;
  const unknown = /Because (\S+) was not found in the package registry/.exec(text)?.[1];
  if (unknown !== undefined) return new SlipwayError("PACKAGE_NOT_FOUND", { values: { package: unknown }, where });
  const wheelless = /Because (?:all versions of |only )?(\S+) has no (?:usable )?wheels/.exec(text)?.[1];
  if (wheelless !== undefined) return noWheel(request, wheelless, undefined);
  const version = /Because there is no version of (\S+)/.exec(text)?.[1];
  if (version !== undefined) return new SlipwayError("PACKAGE_NOT_FOUND", { values: { package: version }, where });
  return failed(request, result);
}

function failed(request: InstallRequest, result: CommandResult): SlipwayError {
  const lines = `${result.stderr}`
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !line.startsWith("WARNING:") && !line.includes("[notice]"));
  return new SlipwayError("DEPENDENCIES_FAILED", {
    values: {
      file: request.requirements,
      detail: lines.slice(-8).join("\n") || `exit code ${result.status}`,
      command: `${request.python} -m pip install -r ${request.requirements}`,
    },
    where: request.requirements,
  });
}
