import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * A git host over https with a certificate of its own, run by git's http-backend. What lies below `/private/` is answered by
 * 401, what lies below `/silent/` never.
 */
export interface GitServer {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** What git needs to trust it, and no settings of the machine. */
  readonly env: Readonly<Record<string, string>>;
  /** Commits files to a repository's branch `main` (made if need be); answers the commit. A submodule is `path: url@commit`. */
  commit(repository: string, files: Readonly<Record<string, string>>, submodule?: Submodule): Promise<string>;
  /** Makes an annotated tag at the tip of `main`. */
  tag(repository: string, name: string): Promise<void>;
  close(): Promise<void>;
}

export interface Submodule {
  readonly path: string;
  readonly url: string;
  readonly commit: string;
}

/** `oldProtocol`: the host speaks version 0 only, in which a commit is given out only if a branch or tag is at it. */
export async function startGitServer({ oldProtocol = false } = {}): Promise<GitServer> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-git-"));
  const root = join(folder, "repositories");
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  await mkdir(root);
  const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, ...name]);

  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (request, response) => {
    if (request.url?.startsWith("/silent/")) return;
    if (request.url?.startsWith("/private/")) {
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="git"' }).end();
      return;
    }
    httpBackend(root, oldProtocol, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { PATH = "" } = process.env;
  const env = { PATH, HOME: folder, GIT_SSL_CAINFO: certificate, GIT_CONFIG_NOSYSTEM: "1" };
  const person = { GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@b" };
  const git = (args: readonly string[]) => run("git", [...args], { env: { ...env, ...person } });

  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    env,
    async commit(repository, files, submodule) {
      const bare = join(root, repository);
      const work = join(folder, "work", repository);
      const known = await readFile(join(bare, "HEAD")).catch(() => undefined);
      if (known === undefined) {
        await git(["init", "--quiet", "--bare", "--initial-branch", "main", bare]);
        await git(["init", "--quiet", "--initial-branch", "main", work]);
      }
      const inWork = (...args: string[]) => git(["-C", work, ...args]);
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        await writeFile(join(work, path), text);
      }
      if (submodule !== undefined) {
        const { path, url, commit } = submodule;
        await writeFile(join(work, ".gitmodules"), `[submodule "s"]\n\tpath = ${path}\n\turl = ${url}\n`);
        await inWork("update-index", "--add", "--cacheinfo", `160000,${commit},${path}`);
      }
      await inWork("add", ...Object.keys(files), ...(submodule === undefined ? [] : [".gitmodules"]));
      await inWork("commit", "--quiet", "--message", "x");
      await inWork("push", "--quiet", bare, "main");
      return (await inWork("rev-parse", "HEAD")).stdout.trim();
    },
    async tag(repository, tag) {
      await git(["-C", join(root, repository), "tag", "--annotate", "--message", "x", tag, "main"]);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Answers one request by git's CGI program. */
function httpBackend(root: string, oldProtocol: boolean, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "https://host");
  const { headers } = request;
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      REQUEST_METHOD: request.method ?? "GET",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      ...(oldProtocol ? {} : { GIT_PROTOCOL: String(headers["git-protocol"] ?? "") }),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => {});
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.once("close", () => {
    const all = Buffer.concat(chunks);
    const end = all.indexOf("\r\n\r\n");
    const lines = all.subarray(0, end).toString().split("\r\n");
    const fields = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
    const { Status: status = "200", ...answer } = Object.fromEntries(fields) as Record<string, string>;
    response.writeHead(Number.parseInt(status, 10), answer).end(all.subarray(end + 4));
  });
}
