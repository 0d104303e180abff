import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { pack } from "tar-stream";
import type { TestLocalAws } from "./local-aws.ts";

/**
 * Pushes an image of the machine's own file system (label io.slipway.base=host) to the local ECR by the registry protocol, written here anew so
 * that a mistake of our own builder cannot hide. `files` lie under /opt/slipway/code, the working directory. Gives the image's ECR name.
 */
export async function pushTrainingImage(
  aws: Pick<TestLocalAws, "client" | "environment">,
  repository: string,
  files: Readonly<Record<string, string>>,
  env: readonly string[] = [],
): Promise<string> {
  const ecr = new ECRClient(aws.client);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: repository })).catch((error: Error) => {
    if (error.name !== "RepositoryAlreadyExistsException") throw error;
  });
  const token = (await ecr.send(new GetAuthorizationTokenCommand({}))).authorizationData![0]!;
  const headers = { authorization: `Basic ${token.authorizationToken}` };
  const registry = `${token.proxyEndpoint}/v2/${repository}`;

  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name: `opt/slipway/code/${name}`, mode: 0o755 }, content);
  archive.finalize();
  const tar = await buffer(archive);
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Env: env, WorkingDir: "/opt/slipway/code", Labels: { "io.slipway.base": "host" } },
      rootfs: { type: "layers", diff_ids: [digest(tar)] },
    }),
  );
  for (const blob of [layer, config]) {
    const opened = await send(`${registry}/blobs/uploads/`, { method: "POST", headers });
    const target = new URL(opened.headers.get("location")!, token.proxyEndpoint);
    target.searchParams.set("digest", digest(blob));
    await send(target, { method: "PUT", headers, body: new Uint8Array(blob) });
  }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digest(config), size: config.length },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: digest(layer), size: layer.length }],
  });
  await send(`${registry}/manifests/latest`, {
    method: "PUT",
    headers: { ...headers, "content-type": "application/vnd.oci.image.manifest.v1+json" },
    body: manifest,
  });
  return `${aws.environment.ecrRegistry}/${repository}:latest`;
}

async function send(url: string | URL, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}

function digest(data: Buffer): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}
