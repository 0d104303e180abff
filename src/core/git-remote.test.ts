import { expect, it } from "vitest";
import { gitRemoteProblem, looksLikeGitRemote } from "./git-remote.ts";

it.each([
  "https://github.com/org/repo.git",
  "https://host:8443/a/b",
  "https://127.0.0.1:8443/repo.git",
  "https://[::1]:8443/repo.git",
  "ssh://git@host/org/repo.git",
  "ssh://host:2222/org/repo",
  "git@github.com:org/repo.git",
  "deploy@host:/srv/repo.git",
])("takes %s", (remote) => {
  expect(gitRemoteProblem(remote)).toBeUndefined();
  expect(looksLikeGitRemote(remote)).toBe(true);
});

it.each([
  ["http://host/repo", "https or ssh"],
  ["file:///etc", "https or ssh"],
  ["ext::sh -c touch% /tmp/x", "address of a git repository"],
  ["git://host/repo", "https or ssh"],
  ["https://user:secret@host/repo", "credentials"],
  ["https://ghp_token@host/repo", "credentials"],
  ["ssh://git:secret@host/repo", "credentials"],
  ["ssh://-oProxyCommand=x/repo", "address of a git repository"],
  ["ssh://-oProxyCommand=x@host/repo", "address of a git repository"],
  ["-oProxyCommand=x@host:repo", "address of a git repository"],
  ["git@-oProxyCommand:repo", "address of a git repository"],
  ["git@host:-upload-pack", "address of a git repository"],
  ["--upload-pack=x", "address of a git repository"],
  ["https://host/re po", "control characters"],
  ["https://host/repo%0Ahost=other", "control characters"],
  ["https://host/repo\n", "control characters"],
  ["https://host", "address of a git repository"],
  ["https://host/repo?token=x", "address of a git repository"],
  ["../repo", "address of a git repository"],
  ["", "address of a git repository"],
])("refuses %j and never repeats a secret", (remote, reason) => {
  const problem = gitRemoteProblem(remote);
  expect(problem).toMatch(/^must /);
  expect(problem).toContain(reason);
  expect(problem).not.toMatch(/secret|ghp_/);
});

it.each([".", "examples/digits", "/abs/path", "train.py", "C:\\code"])("leaves the path %s alone", (source) => {
  expect(looksLikeGitRemote(source)).toBe(false);
});
