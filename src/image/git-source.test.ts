import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GitServer, startGitServer } from "../../test/support/git-server.ts";
import { checkOutCommit, findCommit } from "./git-source.ts";

let folder: string;
const servers: Record<"current" | "old", GitServer> = {} as never;
let number = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-git-source-"));
  [servers.current, servers.old] = await Promise.all([startGitServer(), startGitServer({ oldProtocol: true })]);
});
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

const newDirectory = () => join(folder, `checkout-${number++}`);

describe.each(["current", "old"] as const)("a host of the %s protocol", (kind) => {
  let server: GitServer;
  let remote: string;
  let first: string;
  let second: string;
  beforeAll(async () => {
    server = servers[kind];
    remote = `${server.url}/code.git`;
    first = await server.commit("code.git", { "train.py": "print(1)\n", "only-first.txt": "x" });
    await server.tag("code.git", "v1");
    second = await server.commit("code.git", { "train.py": "print(2)\n" });
    await server.commit("code.git", { "train.py": "print(3)\n" });
  });

  it("gives the commit of a branch, a tag and the default branch", async () => {
    const { env } = server;
    const tip = await findCommit(remote, "main", { env });
    expect(tip).toMatch(/^[0-9a-f]{40}$/);
    expect(await findCommit(remote, "HEAD", { env })).toBe(tip);
    expect(await findCommit(remote, "v1", { env })).toBe(first);
    expect(await findCommit(remote, "refs/tags/v1", { env })).toBe(first);
    expect(await findCommit(remote, second, { env })).toBe(second);
    await expect(findCommit(remote, "none", { env })).rejects.toMatchObject({
      code: "GIT_COMMIT_NOT_FOUND",
      message: `The git repository ${remote} has no none`,
    });
    await expect(findCommit(remote, "--upload-pack=x", { env })).rejects.toMatchObject({
      code: "GIT_COMMIT_NOT_FOUND",
    });
  });

  it("checks out a commit that no branch is at, and names one that is not there", async () => {
    const { env } = server;
    const directory = newDirectory();
    await checkOutCommit({ remote, commit: second }, directory, { env });
    expect(await readFile(join(directory, "train.py"), "utf8")).toBe("print(2)\n");
    const commit = "0123456789".repeat(4);
    await expect(checkOutCommit({ remote, commit }, newDirectory(), { env })).rejects.toMatchObject({
      code: "GIT_COMMIT_NOT_FOUND",
      message: expect.stringContaining(commit),
    });
  });

  it("brings submodules at their commits", async () => {
    const { env } = server;
    const commit = await server.commit("part.git", { "part.py": "first\n" });
    await server.commit("part.git", { "part.py": "second\n" });
    const whole = await server.commit("whole.git", { "a.py": "" }, { path: "lib/part", url: "../part.git", commit });
    const directory = newDirectory();
    await checkOutCommit({ remote: `${server.url}/whole.git`, commit: whole }, directory, { env });
    expect(await readFile(join(directory, "lib/part/part.py"), "utf8")).toBe("first\n");
  });
});

it.each([
  ["file:///etc", "transport 'file' not allowed"],
  ["http://127.0.0.1:9/part.git", "transport 'http' not allowed"],
  ["http://user:secret@127.0.0.1:9/part.git", "transport 'http' not allowed"],
])("refuses a submodule at %s, and shows no credentials", async (url, reason) => {
  const { current: server } = servers;
  const part = { path: "part", url, commit: "0123456789".repeat(4) };
  const commit = await server.commit("bad.git", { [`${number++}.py`]: "" }, part);
  const failed = await checkOutCommit({ remote: `${server.url}/bad.git`, commit }, newDirectory(), server).then(
    () => undefined,
    (error: Error) => error,
  );
  expect(failed).toMatchObject({ code: "GIT_FETCH_FAILED", message: expect.stringContaining(reason) });
  expect(failed?.message).not.toContain("secret");
});

it("asks nobody for a password", async () => {
  const { current: server } = servers;
  const remote = `${server.url}/private/code.git`;
  await expect(findCommit(remote, "HEAD", server)).rejects.toMatchObject({
    code: "GIT_FETCH_FAILED",
    message: expect.stringMatching(/could not read Username.*terminal prompts disabled/),
    hint: expect.stringContaining(`git ls-remote ${remote}`),
  });
});

it("does not trust a certificate that nobody vouches for", async () => {
  const { GIT_SSL_CAINFO: _, ...env } = servers.current.env;
  await expect(findCommit(`${servers.current.url}/code.git`, "HEAD", { env })).rejects.toMatchObject({
    code: "GIT_FETCH_FAILED",
    message: expect.stringContaining("certificate"),
  });
});

it("ends when its time is over, and when it is told to", async () => {
  const { current: server } = servers;
  const silent = { remote: `${server.url}/silent/code.git`, commit: "0123456789".repeat(4) };
  await expect(checkOutCommit(silent, newDirectory(), { ...server, timeoutMs: 500 })).rejects.toMatchObject({
    code: "GIT_TIMED_OUT",
  });
  const stop = new AbortController();
  const reason = new Error("stopped");
  const stopped = checkOutCommit(silent, newDirectory(), { env: server.env, signal: stop.signal });
  stop.abort(reason);
  await expect(stopped).rejects.toBe(reason);
});

it("says that git is missing, and what a remote may be", async () => {
  const remote = "https://127.0.0.1:1/code.git";
  await expect(findCommit(remote, "HEAD", { env: { PATH: folder } })).rejects.toMatchObject({
    code: "GIT_NOT_INSTALLED",
  });
  await expect(findCommit("file:///etc", "HEAD")).rejects.toMatchObject({
    code: "GIT_REMOTE_INVALID",
    message: "The git remote must be an https or ssh address, not file://",
  });
});
