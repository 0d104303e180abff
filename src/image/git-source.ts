import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { COMMIT, gitRemoteProblem } from "../core/git-remote.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { ownEnvironment } from "./config.ts";

export interface GitOptions {
  readonly signal?: AbortSignal;
  /** Most milliseconds for all of it; ten minutes where absent. */
  readonly timeoutMs?: number;
  /** The surroundings of git (certificates, proxies, credential helpers, ssh keys); this process's own where absent. */
  readonly env?: NodeJS.ProcessEnv;
}

const TIMEOUT_MS = 600_000;

/**
 * Puts the files of one commit, its submodules' too, into a new directory. Only https and ssh are spoken, by submodules
 * and redirects as well; nothing is asked of a person; no hook runs. The commit alone is fetched where the host allows
 * it, else the branches and tags.
 * Errors: GIT_REMOTE_INVALID, GIT_NOT_INSTALLED, GIT_FETCH_FAILED, GIT_COMMIT_NOT_FOUND, GIT_TIMED_OUT.
 */
export async function checkOutCommit(
  repository: { readonly remote: string; readonly commit: string },
  directory: string,
  options: GitOptions = {},
): Promise<void> {
  const { remote, commit } = repository;
  checkRemote(remote);
  if (!COMMIT.test(commit)) throw notFound(remote, commit);
  const git = gitRunner(remote, options);
  await git(["init", "--quiet", directory]);
  const inside = ["-C", directory];
  await git([...inside, "remote", "add", "origin", remote]);
  const fetch = [...inside, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
  const shallow = await git([...fetch, "--depth", "1", "origin", commit], { mayFail: true });
  if (shallow.status !== 0) {
    // A host may give out only what a branch or a tag names.
    await git([...fetch, "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]);
    const there = await git([...inside, "cat-file", "-e", `${commit}^{commit}`], { mayFail: true });
    if (there.status !== 0) throw notFound(remote, commit);
  }
  await git([...inside, "checkout", "--quiet", "--detach", commit]);
  const hasSubmodules = await access(join(directory, ".gitmodules")).then(
    () => true,
    () => false,
  );
  if (hasSubmodules) await git([...inside, "submodule", "--quiet", "update", "--init", "--recursive"]);
}

/**
 * The commit that a branch, a tag or (`HEAD`) the default branch of a remote is at now; a whole commit id is its own answer.
 * Errors: GIT_REMOTE_INVALID, GIT_NOT_INSTALLED, GIT_FETCH_FAILED, GIT_COMMIT_NOT_FOUND, GIT_TIMED_OUT.
 */
export async function findCommit(remote: string, ref: string, options: GitOptions = {}): Promise<string> {
  checkRemote(remote);
  if (COMMIT.test(ref)) return ref;
  if (ref === "" || ref.startsWith("-") || /[\s\p{Cc}*?[\\^~:]/u.test(ref)) throw notFound(remote, ref);
  const git = gitRunner(remote, options);
  const { stdout } = await git(["ls-remote", "--quiet", remote, ref, `${ref}^{}`]);
  const commits = new Map(
    stdout
      .split("\n")
      .map((line) => line.split("\t"))
      .flatMap(([commit, name]) => (commit && name ? [[name, commit] as const] : [])),
  );
  // An annotated tag is an object of its own; NAME^{} is the commit that it names.
  const names = [ref, `refs/heads/${ref}`, `refs/tags/${ref}^{}`, `refs/tags/${ref}`];
  const found = names.map((name) => commits.get(`${name}^{}`) ?? commits.get(name)).find((commit) => commit);
  if (found === undefined) throw notFound(remote, ref);
  return found;
}

/**
 * Changes the files of a checked-out commit as a diff says. The diff comes with a job, so it can't reach outside: git refuses
 * paths and links that lead there. Errors: JOB_PATCH_FAILED, GIT_NOT_INSTALLED, GIT_TIMED_OUT.
 */
export async function applyPatch(
  directory: string,
  { patch, commit }: { readonly patch: string; readonly commit: string },
  options: GitOptions = {},
): Promise<void> {
  const file = join(directory, ".git", "slipway.patch");
  await writeFile(file, patch);
  const git = gitRunner(commit, options);
  const applied = await git(["-C", directory, "apply", "--whitespace=nowarn", file], { mayFail: true });
  if (applied.status !== 0)
    throw new SlipwayError("JOB_PATCH_FAILED", { values: { commit, detail: lastWords(applied) }, where: "diff.patch" });
}

type Git = (args: readonly string[], options?: { readonly mayFail: boolean }) => Promise<CommandResult>;

function gitRunner(remote: string, options: GitOptions): Git {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  const env = gitEnvironment(options.env ?? ownEnvironment());
  return async (args, { mayFail } = { mayFail: false }) => {
    let result: CommandResult;
    try {
      result = await runCommand("git", ["-c", "core.hooksPath=/dev/null", ...args], { signal, env });
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!timeout.aborted) throw error;
      throw new SlipwayError("GIT_TIMED_OUT", {
        values: { remote, seconds: Math.round(timeoutMs / 1000) },
        where: remote,
      });
    }
    if (result.status === "missing") throw new SlipwayError("GIT_NOT_INSTALLED", { where: remote });
    if (result.status !== 0 && !mayFail)
      throw new SlipwayError("GIT_FETCH_FAILED", { values: { remote, detail: lastWords(result) }, where: remote });
    return result;
  };
}

/** Git's surroundings without what would make it ask a person, speak other protocols or work in another repository. */
function gitEnvironment(from: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GIT_DIR: _1, GIT_WORK_TREE: _2, GIT_INDEX_FILE: _3, GIT_OBJECT_DIRECTORY: _4, GIT_TRACE: _5, ...env } = from;
  return {
    ...env,
    LC_ALL: "C",
    GIT_ALLOW_PROTOCOL: "https:ssh",
    GIT_TERMINAL_PROMPT: "0",
    // Empty: no program asks either.
    GIT_ASKPASS: "",
    SSH_ASKPASS_REQUIRE: "never",
    GIT_SSH_COMMAND: `${env.GIT_SSH_COMMAND ?? "ssh"} -oBatchMode=yes`,
  };
}

/** The last lines that git said, without credentials that an address in .gitmodules may hold. */
function lastWords({ stderr, status }: CommandResult): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim().replace(/:\/\/[^/@\s]*@/g, "://***@"))
    .filter((line) => line !== "" && !line.startsWith("hint:"));
  return lines.slice(-3).join("; ").slice(0, 500) || `git ended with exit code ${status}`;
}

function checkRemote(remote: string): void {
  const problem = gitRemoteProblem(remote);
  if (problem !== undefined) throw new SlipwayError("GIT_REMOTE_INVALID", { values: { problem } });
}

function notFound(remote: string, ref: string): SlipwayError {
  return new SlipwayError("GIT_COMMIT_NOT_FOUND", { values: { remote, ref }, where: remote });
}
