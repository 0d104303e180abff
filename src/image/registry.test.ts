import { execFile, execFileSync } from "node:child_process";
import { createHash, createSign, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDockerRegistry } from "../../test/support/docker-registry.ts";
import { startTestLocalAws } from "../../test/support/local-aws.ts";
import type { Clock } from "../core/clock.ts";
import { sha256 } from "./digest.ts";
import { composeImage, emptyBase } from "./oci.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { type CredentialsProvider, readDockerCredentials } from "./registry-credentials.ts";

/** Not the blocking kind: the local AWS answers from this very process. */
const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "registry-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Sleeps end at once; `slept` tells what was asked for. */
function instantClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => Date.now(),
    async sleep(ms) {
      slept.push(ms);
    },
  };
}

const anonymous: CredentialsProvider = async () => undefined;

function client(
  endpoint: string,
  credentials: CredentialsProvider = anonymous,
  clock: Clock = instantClock(),
): Registry {
  return createRegistry({ endpoint, credentials, fetch, clock });
}

/** A small image of one layer, as it is pushed. */
async function pushSmall(registry: Registry, repository: string, tag: string): Promise<string> {
  const tar = execFileSync("tar", ["-cf", "-", "-C", "/etc", "hostname"]);
  const layer = execFileSync("gzip", ["-n"], { input: tar });
  await registry.uploadBlob(repository, { digest: sha256(layer), size: layer.length, content: { data: layer } });
  const image = composeImage(
    emptyBase({ os: "linux", architecture: "amd64" }),
    [{ digest: sha256(layer), diffId: sha256(tar), size: layer.length, createdBy: "test" }],
    { env: { A: "b" }, labels: { l: "v" }, workingDir: "/w", entryPoint: ["run"] },
  );
  const config = { digest: sha256(image.config), size: image.config.length };
  await registry.uploadBlob(repository, { ...config, content: { data: image.config } });
  const { mediaType, body } = image.manifest(config);
  return registry.putManifest(repository, tag, mediaType, body);
}

interface TestRegistry {
  readonly endpoint: string;
  readonly credentials: CredentialsProvider;
  /** skopeo's option for the same credentials. */
  readonly skopeo: readonly string[];
  createRepository(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Debian's reference registry: anonymous, repositories come by themselves. */
async function startReference(): Promise<TestRegistry> {
  const server = await startDockerRegistry();
  return { ...server, credentials: anonymous, skopeo: [], createRepository: async () => {} };
}

/** The ECR of the local AWS, through the calls that one makes on AWS. */
async function startEcr(): Promise<TestRegistry> {
  const aws = await startTestLocalAws();
  const ecr = new ECRClient(aws.client);
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  const { authorizationToken = "", proxyEndpoint = "" } = authorizationData?.[0] ?? {};
  const [username = "", password = ""] = Buffer.from(authorizationToken, "base64").toString().split(":");
  return {
    endpoint: proxyEndpoint,
    credentials: async () => ({ username, password }),
    skopeo: ["--creds", `${username}:${password}`],
    async createRepository(repositoryName) {
      await ecr.send(new CreateRepositoryCommand({ repositoryName }));
    },
    close: () => aws.close(),
  };
}

describe.each([
  ["Debian's docker-registry", startReference, { goesOn: false }],
  ["the local AWS's ECR", startEcr, { goesOn: true }],
])("against %s", (_, start, { goesOn }) => {
  let server: TestRegistry;
  beforeAll(async () => {
    server = await start();
    for (const name of ["team/small", "from", "to", "big", "wrong"]) await server.createRepository(name);
  });
  afterAll(() => server.close());
  const connected = () => client(server.endpoint, server.credentials);

  it("pushes an image that skopeo inspects and copies, and reads it back", async () => {
    const registry = connected();
    const digest = await pushSmall(registry, "team/small", "one");
    const at = `docker://${new URL(server.endpoint).host}/team/small:one`;
    const seen = JSON.parse((await run("skopeo", ["inspect", "--tls-verify=false", ...server.skopeo, at])).stdout);
    expect(seen).toMatchObject({ Digest: digest, Architecture: "amd64", Labels: { l: "v" }, Env: ["A=b"] });
    const login = server.skopeo.map((option) => option.replace(/^--/, "--src-"));
    const copied = `dir:${await mkdtemp(join(folder, "copied-"))}`;
    await run("skopeo", ["copy", "--src-tls-verify=false", ...login, at, copied]);
    expect(await registry.headManifest("team/small", "one")).toBe(digest);
    expect(await registry.headManifest("team/small", "two")).toBeUndefined();
    expect(await registry.getManifest("no/such", "one")).toBeUndefined();
    const found = await registry.getManifest("team/small", "one");
    expect(found).toMatchObject({ digest, mediaType: "application/vnd.oci.image.manifest.v1+json" });
  });

  it("mounts a blob of another repository without sending it", async () => {
    const registry = connected();
    await pushSmall(registry, "from", "x");
    const manifest = JSON.parse((await registry.getManifest("from", "x"))?.body.toString() ?? "");
    const digest = manifest.layers[0].digest;
    expect(await registry.hasBlob("to", digest)).toBe(false);
    expect(await registry.mountBlob("to", digest, "from")).toBe(true);
    expect(await registry.hasBlob("to", digest)).toBe(true);
    expect(await registry.mountBlob("to", sha256("nothing"), "from")).toBe(false);
  });

  it("uploads in pieces and downloads over a connection that breaks, going on where it broke", async () => {
    const content = randomBytes(40_000_000);
    const path = join(folder, "big");
    await writeFile(path, content);
    const proxy = await startBreakingProxy(Number(new URL(server.endpoint).port));
    const clock = instantClock();
    const registry = client(proxy.endpoint, server.credentials, clock);
    const blob = { digest: sha256(content), size: content.length, content: { path } };
    proxy.breakAfter({ up: 25_000_000 });
    const progress: number[] = [];
    await registry.uploadBlob("big", blob, (bytes) => progress.push(bytes));
    expect(proxy.broken()).toBe(1);
    expect(progress.at(-1)).toBe(content.length);
    // The local ECR goes on from its last whole piece; the reference registry refuses to go on with an upload that broke
    // inside a piece: it starts again, once.
    const again = goesOn ? 10_000_000 : 27_000_000;
    expect(proxy.sent("up")).toBeLessThan(content.length + again);
    expect(await connected().hasBlob("big", blob.digest)).toBe(true);

    proxy.breakAfter({ down: 15_000_000 });
    const back = join(folder, "back");
    await registry.downloadBlob("big", blob.digest, back);
    expect(proxy.broken()).toBe(2);
    expect(proxy.sent("down")).toBeLessThan(content.length * 1.1 + 1_000_000);
    expect(
      createHash("sha256")
        .update(await readFile(back))
        .digest("hex"),
    ).toBe(blob.digest.slice(7));
    await proxy.close();
  });

  it("refuses a blob that is not what its digest says", async () => {
    const registry = connected();
    await writeFile(join(folder, "wrong.part"), "left over from something else");
    const data = Buffer.from("the right thing, and longer than what is there already");
    const blob = { digest: sha256(data), size: data.length, content: { data } };
    await registry.uploadBlob("wrong", blob);
    await expect(registry.downloadBlob("wrong", blob.digest, join(folder, "wrong"))).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
    await registry.downloadBlob("wrong", blob.digest, join(folder, "wrong"));
    expect(await readFile(join(folder, "wrong"))).toEqual(data);
    const lie = { digest: sha256("something else"), size: data.length, content: { data } };
    await expect(registry.uploadBlob("wrong", lie)).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
  });
});

describe("authorization", () => {
  it("logs in with a name and a password, and says who refused when they are wrong", async () => {
    const server = await startDockerRegistry({
      htpasswd: "AWS:$2b$04$SsMVCDKhODOyJFA/EdbmbOC2I2yL0Ul8V7/0peSNo.opHOUCffDUK",
    });
    const given: string[] = [];
    const login = (password: string) => async () => {
      given.push(password);
      return { username: "AWS", password };
    };
    await pushSmall(client(server.endpoint, login("open-sesame")), "a", "x");
    expect(given).toEqual(["open-sesame"]);
    for (const credentials of [anonymous, login("wrong")]) {
      await expect(client(server.endpoint, credentials).headManifest("a", "x")).rejects.toMatchObject({
        code: "REGISTRY_REFUSED",
        exitCode: 3,
        message: expect.stringContaining(server.host),
      });
    }
    // Credentials that run out are asked for again.
    let turn = 0;
    const renewed = client(server.endpoint, async () => {
      turn += 1;
      return { username: "AWS", password: turn === 1 ? "expired" : "open-sesame" };
    });
    expect(await renewed.headManifest("a", "x")).toBeDefined();
    expect(turn).toBe(2);
    await server.close();
  });

  it("gets a bearer token from the server that the registry names", async () => {
    const tokens = await startTokenServer(folder);
    const server = await startDockerRegistry({ token: { realm: tokens.realm, certificate: tokens.certificate } });
    const registry = client(server.endpoint, async () => ({ username: "me", password: "secret" }));
    await pushSmall(registry, "a/b", "x");
    expect(await registry.headManifest("a/b", "x")).toBeDefined();
    expect(await registry.mountBlob("c", sha256("nothing"), "a/b")).toBe(false);
    expect(tokens.asked).toContainEqual({
      authorization: `Basic ${Buffer.from("me:secret").toString("base64")}`,
      scopes: ["repository:a/b:pull,push"],
    });
    expect(tokens.asked).toContainEqual({
      authorization: `Basic ${Buffer.from("me:secret").toString("base64")}`,
      scopes: ["repository:c:pull,push", "repository:a/b:pull"],
    });
    // One token serves all requests of a scope: push, pull, and the mount.
    expect(tokens.asked.length).toBeLessThanOrEqual(4);
    await server.close();
    await tokens.close();
  });

  it("reads a Docker config: logins, identity tokens and helpers", async () => {
    const file = join(folder, "config.json");
    const auth = Buffer.from("u:p:with:colons").toString("base64");
    await writeFile(
      file,
      JSON.stringify({
        auths: {
          "https://index.docker.io/v1/": { auth },
          "a.example": { identitytoken: "t" },
          "b.example": {},
        },
      }),
    );
    expect(await readDockerCredentials(file, "docker.io")).toEqual({ username: "u", password: "p:with:colons" });
    expect(await readDockerCredentials(file, "a.example")).toEqual({ identityToken: "t" });
    expect(await readDockerCredentials(file, "b.example")).toBeUndefined();
    expect(await readDockerCredentials(join(folder, "none"), "b.example")).toBeUndefined();
  });
});

it("says that a registry cannot be reached, after some tries", async () => {
  const clock = instantClock();
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  await expect(client(`http://127.0.0.1:${port}`, anonymous, clock).headManifest("a", "x")).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
    exitCode: 4,
    message: expect.stringContaining("ECONNREFUSED"),
  });
  expect(clock.slept).toEqual([200, 1000, 3000]);
});

interface BreakingProxy {
  readonly endpoint: string;
  breakAfter(bytes: { up?: number; down?: number }): void;
  broken(): number;
  sent(direction: "up" | "down"): number;
  close(): Promise<void>;
}

/** A TCP proxy that cuts one connection after so many bytes in one direction. */
async function startBreakingProxy(port: number): Promise<BreakingProxy> {
  let left = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
  let broken = 0;
  const sent = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  const server: TcpServer = createTcpServer((near) => {
    const far = connect(port, "127.0.0.1");
    sockets.add(near).add(far);
    const carry = (from: Socket, to: Socket, direction: "up" | "down") => {
      from.on("data", (chunk) => {
        sent[direction] += chunk.length;
        left[direction] -= chunk.length;
        if (left[direction] < 0) {
          left = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
          broken += 1;
          near.destroy();
          far.destroy();
        } else if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    };
    carry(near, far, "up");
    carry(far, near, "down");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    breakAfter({ up, down }) {
      left = { up: up ?? Number.POSITIVE_INFINITY, down: down ?? Number.POSITIVE_INFINITY };
    },
    broken: () => broken,
    sent: (direction) => sent[direction],
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A token server as the registry's specification describes it, signing with a key of its own. */
async function startTokenServer(directory: string) {
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "certificate.pem")];
  const subject = ["-subj", "/CN=test-issuer", "-days", "2", "-nodes"];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, ...subject];
  execFileSync("openssl", args, { stdio: "pipe" });
  const pem = await readFile(certificate, "utf8");
  const privateKey = await readFile(key, "utf8");
  const asked: { authorization: string | undefined; scopes: string[] }[] = [];
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const scopes = url.searchParams.getAll("scope");
    asked.push({ authorization: request.headers.authorization, scopes });
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const x5c = [pem.replace(/-----[^-]+-----|\s/g, "")];
    const access = scopes.map((scope) => {
      const [type, name, actions] = scope.split(":");
      return { type, name, actions: actions?.split(",") };
    });
    const times = { iat: now, nbf: now - 60, exp: now + 600 };
    const claims = { iss: "test-issuer", aud: "test-registry", sub: "me", jti: randomBytes(8).toString("hex"), access };
    const signed = `${part({ typ: "JWT", alg: "RS256", x5c })}.${part({ ...claims, ...times })}`;
    const token = `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ token, expires_in: 600 }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    realm: `http://127.0.0.1:${(server.address() as { port: number }).port}/token`,
    certificate: pem,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
