import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DockerEngine, startDockerEngine } from "../../support/docker.ts";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";

const run = promisify(execFile);

let engine: DockerEngine;
let aws: TestLocalAws;
let peers: PythonPeers;
let folder: string;
let registry: string;
let password: string;

beforeAll(async () => {
  [engine, aws, peers] = await Promise.all([startDockerEngine(), startTestLocalAws(), pythonPeers()]);
  folder = await mkdtemp(join(tmpdir(), "ecr-peers-"));
  registry = new URL(aws.url).host;
  password = (await cli(["get-login-password"])).trim();
  await engine.makeBaseImage("base:test");
}, 300_000);

afterAll(async () => {
  await aws?.close();
  await engine?.close();
  await rm(folder, { recursive: true, force: true });
});

/** `aws ecr ARGS`. */
async function cli(args: readonly string[]): Promise<string> {
  return (await run(peers.aws, ["ecr", ...args], { env: aws.env, maxBuffer: 1 << 26 })).stdout;
}

async function cliJson<T>(args: readonly string[]): Promise<T> {
  return JSON.parse(await cli([...args, "--output", "json"])) as T;
}

/** A program that uses boto3; `ecr` is its client. Prints JSON. */
async function boto3<T>(code: string): Promise<T> {
  const program = `import boto3, botocore, hashlib, json, os\necr = boto3.client("ecr")\n${code}`;
  return JSON.parse((await run(peers.python, ["-c", program], { env: aws.env })).stdout) as T;
}

async function skopeo(args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: folder, REGISTRY_AUTH_FILE: join(folder, "auth.json") };
  return (await run("skopeo", [...args], { env, maxBuffer: 1 << 26 })).stdout;
}

const create = (name: string, ...more: string[]) => cli(["create-repository", "--repository-name", name, ...more]);

/** A request of the registry protocol, as the user with the token. */
function v2(path: string, init: RequestInit = {}): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`AWS:${password}`).toString("base64")}`;
  return fetch(new URL(path, aws.url), { ...init, headers: { authorization, ...init.headers } });
}

async function errorOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { errors: { code: string }[] }).errors[0]!.code;
}

const digestOf = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

test("docker logs in with get-login-password, pushes, and pulls what it has forgotten", async () => {
  await expect(engine.docker(["push", `${registry}/docker:v1`])).rejects.toThrow();
  await engine.docker(["login", "-u", "AWS", "--password-stdin", registry], password);
  await create("docker");
  const name = `${registry}/docker:v1`;
  await engine.docker(["tag", "base:test", name]);
  await engine.docker(["push", "-q", name]);
  const id = (await engine.docker(["images", "-q", "--no-trunc", "base:test"])).trim();
  await engine.docker(["rmi", "-f", name, "base:test"]);
  await engine.docker(["pull", "-q", name]);
  expect((await engine.docker(["images", "-q", "--no-trunc", name])).trim()).toBe(id);
  expect(await engine.docker(["run", "--rm", "--network", "none", name, "python3", "-c", "print(6 * 7)"])).toBe("42\n");
  // A second push finds every layer there.
  await engine.docker(["tag", name, `${registry}/docker:v2`]);
  expect(await engine.docker(["push", `${registry}/docker:v2`])).toContain("Layer already exists");

  const { imageDetails } = await cliJson<{ imageDetails: Record<string, unknown>[] }>([
    "describe-images",
    "--repository-name",
    "docker",
  ]);
  expect(imageDetails).toHaveLength(1);
  expect(imageDetails[0]).toMatchObject({
    registryId: "123456789012",
    repositoryName: "docker",
    imageTags: ["v1", "v2"],
    imageManifestMediaType: "application/vnd.docker.distribution.manifest.v2+json",
  });
});

test("a repository that was not created takes no push, and a wrong password no login", async () => {
  await engine.docker(["tag", `${registry}/docker:v1`, `${registry}/nowhere:v1`]);
  await expect(engine.docker(["push", `${registry}/nowhere:v1`])).rejects.toThrow("nowhere");
  await expect(
    engine.docker(["login", "-u", "AWS", "--password-stdin", registry], `${password.slice(0, -4)}AAAA`),
  ).rejects.toThrow(/denied|unauthorized/i);
  await engine.docker(["login", "-u", "AWS", "--password-stdin", registry], password);
  const anonymous = await fetch(`${aws.url}/v2/`);
  expect([anonymous.status, anonymous.headers.get("www-authenticate")]).toEqual([
    401,
    expect.stringMatching(/^Basic realm=/),
  ]);
});

test("skopeo inspects, lists, copies between repositories, to a directory and back, and deletes", async () => {
  await skopeo(["login", "--tls-verify=false", "-u", "AWS", "-p", password, registry]);
  const source = `docker://${registry}/docker:v1`;
  const inspected = JSON.parse(await skopeo(["inspect", "--tls-verify=false", source])) as Record<string, unknown>;
  expect(inspected).toMatchObject({ Name: `${registry}/docker`, RepoTags: ["v1", "v2"], Os: "linux" });
  await create("copies/oci");
  const both = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  await skopeo(["copy", ...both, "--format", "oci", source, `docker://${registry}/copies/oci:one`]);
  const directory = `dir:${join(folder, "saved")}`;
  await skopeo(["copy", ...both, `docker://${registry}/copies/oci:one`, directory]);
  await skopeo(["copy", ...both, directory, `docker://${registry}/copies/oci:two`]);
  const tags = JSON.parse(await skopeo(["list-tags", "--tls-verify=false", `docker://${registry}/copies/oci`]));
  expect(tags).toMatchObject({ Tags: ["one", "two"] });
  const manifest = await readFile(join(folder, "saved", "manifest.json"));
  expect((await v2("/v2/copies/oci/manifests/two")).headers.get("docker-content-digest")).toBe(digestOf(manifest));
  await skopeo(["delete", "--tls-verify=false", `docker://${registry}/copies/oci:one`]);
  const gone = await v2("/v2/copies/oci/manifests/two");
  // skopeo deletes by digest, and with the image all its tags.
  expect([gone.status, await errorOf(gone)]).toEqual([404, "MANIFEST_UNKNOWN"]);
});

test("an upload that broke off goes on where it stands, also after a restart", async () => {
  await create("halves");
  const blob = randomBytes(300_000);
  const opened = await v2("/v2/halves/blobs/uploads/", { method: "POST" });
  const location = opened.headers.get("location")!;
  const first = await v2(location, {
    method: "PATCH",
    headers: { "content-range": "0-99999" },
    body: new Uint8Array(blob.subarray(0, 100_000)),
  });
  expect([first.status, first.headers.get("range")]).toEqual([202, "0-99999"]);
  const wrong = await v2(location, {
    method: "PATCH",
    headers: { "content-range": "200000-299999" },
    body: new Uint8Array(blob.subarray(200_000)),
  });
  expect([wrong.status, wrong.headers.get("range")]).toEqual([416, "0-99999"]);
  aws = await aws.restart();
  registry = new URL(aws.url).host;
  const asked = await v2(location);
  expect([asked.status, asked.headers.get("range")]).toEqual([204, "0-99999"]);
  const rest = { method: "PUT", body: new Uint8Array(blob.subarray(100_000)) };
  const done = await v2(`${location}?digest=${digestOf(blob)}`, rest);
  expect([done.status, done.headers.get("docker-content-digest")]).toEqual([201, digestOf(blob)]);
  const part = await v2(`/v2/halves/blobs/${digestOf(blob)}`, { headers: { range: "bytes=99990-100009" } });
  expect(part.status).toBe(206);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(blob.subarray(99_990, 100_010));

  const other = await v2("/v2/halves/blobs/uploads/", { method: "POST" });
  const lie = await v2(`${other.headers.get("location")}?digest=${digestOf("else")}`, { method: "PUT", body: "this" });
  expect([lie.status, await errorOf(lie)]).toEqual([400, "DIGEST_INVALID"]);
});

test("an immutable tag stays where it is", async () => {
  await create("fixed", "--image-tag-mutability", "IMMUTABLE");
  await engine.docker(["login", "-u", "AWS", "--password-stdin", registry], password);
  await engine.makeBaseImage("base:one");
  await engine.docker(["build", "-t", "base:two", "-"], "FROM base:one\nENV OTHER=yes\n");
  const name = `${registry}/fixed:v1`;
  await engine.docker(["tag", "base:one", name]);
  await engine.docker(["push", "-q", name]);
  await engine.docker(["push", "-q", name]); // the same image again is no change
  await engine.docker(["tag", "base:two", name]);
  await expect(engine.docker(["push", "-q", name])).rejects.toThrow(/immutable/);
});

test("boto3 pushes a layer in parts and an image, reads them back and deletes them", async () => {
  const layer = randomBytes(70_000);
  await writeFile(join(folder, "layer"), layer);
  const answer = await boto3<Record<string, unknown>>(`
data = open(${JSON.stringify(join(folder, "layer"))}, "rb").read()
name = "parts"
made = ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "vision"}])["repository"]
def error(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Code"]
def push(content):
    up = ecr.initiate_layer_upload(repositoryName=name)
    size, first = 50000, 0
    while first < len(content):
        part = content[first:first + size]
        ecr.upload_layer_part(repositoryName=name, uploadId=up["uploadId"], partFirstByte=first, partLastByte=first + len(part) - 1, layerPartBlob=part)
        first += len(part)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    ecr.complete_layer_upload(repositoryName=name, uploadId=up["uploadId"], layerDigests=[digest])
    return digest
config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": push(config), "size": len(config)},
  "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": push(data), "size": len(data)}]})
layer = "sha256:" + hashlib.sha256(data).hexdigest()
none = "sha256:" + "0" * 64
checked = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[layer, none])
put = ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag="v1")["image"]
got = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])
import urllib.request
url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=layer)["downloadUrl"]
print(json.dumps({
  "uri": made["repositoryUri"], "tags": ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"],
  "available": [[l["layerDigest"], l["layerAvailability"]] for l in checked["layers"]],
  "same": got["images"][0]["imageManifest"] == manifest, "failures": [f["failureCode"] for f in got["failures"]],
  "downloaded": urllib.request.urlopen(url).read() == data,
  "again": error(ecr.put_image, repositoryName=name, imageManifest=manifest, imageTag="v1"),
  "exists": error(ecr.create_repository, repositoryName=name),
  "unknown": error(ecr.describe_images, repositoryName="unknown"),
  "notFound": error(ecr.describe_images, repositoryName=name, imageIds=[{"imageTag": "v9"}]),
  "badName": error(ecr.create_repository, repositoryName="Upper"),
  "notEmpty": error(ecr.delete_repository, repositoryName=name),
  "deleted": ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageIds"],
  "left": ecr.list_images(repositoryName=name)["imageIds"],
  "gone": ecr.delete_repository(repositoryName=name)["repository"]["repositoryName"],
}))`);
  expect(answer).toEqual({
    uri: `${aws.environment.ecrRegistry}/parts`,
    tags: [{ Key: "team", Value: "vision" }],
    available: [
      [digestOf(layer), "AVAILABLE"],
      [`sha256:${"0".repeat(64)}`, "UNAVAILABLE"],
    ],
    same: true,
    failures: ["ImageNotFound"],
    downloaded: true,
    again: "ImageAlreadyExistsException",
    exists: "RepositoryAlreadyExistsException",
    unknown: "RepositoryNotFoundException",
    notFound: "ImageNotFoundException",
    badName: "InvalidParameterException",
    notEmpty: "RepositoryNotEmptyException",
    deleted: [{ imageTag: "v1", imageDigest: expect.stringMatching(/^sha256:/) }],
    left: [],
    gone: "parts",
  });
});

test("the aws command pages through repositories", async () => {
  for (const name of ["page/a", "page/b", "page/c"]) await create(name);
  const names = await cliJson<string[]>([
    "describe-repositories",
    "--page-size",
    "2",
    "--query",
    "repositories[?starts_with(repositoryName, 'page/')].repositoryName",
  ]);
  expect(names).toEqual(["page/a", "page/b", "page/c"]);
});
