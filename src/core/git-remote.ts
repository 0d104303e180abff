const HOST = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const SCP_FORM = /^([^@/:\s]+)@([^@/:\s]+):(?!\/\/)(.+)$/;
const SAY = "must be the address of a git repository, https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH";

/** True for what names a git repository elsewhere, well written or not, rather than a path on this machine. */
export function looksLikeGitRemote(source: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(source) || SCP_FORM.test(source);
}

/**
 * Why a git remote is refused, as a sentence that follows its name ("must ..."); undefined if it is fine. Only https and
 * ssh are taken (the others run programs, read this machine's files or are not encrypted), and no credentials: a remote is
 * shown in logs and kept with the item. Nothing of it can be read as an option by git or ssh.
 */
export function gitRemoteProblem(remote: string): string | undefined {
  if (/[\s\\\p{Cc}]|%0[0ad]/iu.test(remote)) return `${SAY}, without spaces and control characters`;
  const scp = remote.includes("://") ? null : SCP_FORM.exec(remote);
  if (scp !== null) {
    const [, user = "", host = "", path = ""] = scp;
    return USER.test(user) && HOST.test(host) && !path.startsWith("-") ? undefined : SAY;
  }
  if (!remote.includes("://")) return SAY;
  let url: URL;
  try {
    url = new URL(remote);
  } catch {
    return SAY;
  }
  if (url.protocol !== "https:" && url.protocol !== "ssh:")
    return `must be an https or ssh address, not ${url.protocol}//`;
  if (url.password !== "" || (url.protocol === "https:" && url.username !== ""))
    return "must not hold credentials; the agent's machine has its own (a git credential helper, .netrc or an ssh key)";
  const host = url.hostname.replace(/^\[[0-9a-fA-F:.]+\]$/, "ipv6");
  if (!HOST.test(host) || (url.username !== "" && !USER.test(url.username))) return SAY;
  if (url.pathname.length < 2 || url.search !== "" || url.hash !== "") return SAY;
  return undefined;
}

/** A whole commit id: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits in lower case. */
export const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})$/;
