import { createHash } from "node:crypto";
import type { TestApp } from "./test-app.ts";

const md5 = (content: string, as: "base64" | "hex" = "base64") => createHash("md5").update(content).digest(as);

/** Logs a version of files (contents by path) into a project of the admin, by the client's own operations. Answers its id. */
export async function logArtifact(
  app: TestApp,
  artifact: {
    readonly project: string;
    readonly type: string;
    readonly name: string;
    readonly files: Readonly<Record<string, string>>;
    readonly metadata?: unknown;
  },
): Promise<string> {
  const contents = Object.fromEntries(
    Object.entries(artifact.files).map(([path, content]) => [
      path,
      { digest: md5(content), size: Buffer.byteLength(content) },
    ]),
  );
  const { createArtifact } = await app.data<{ createArtifact: { artifact: { id: string } } }>(
    `mutation Create($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }`,
    {
      input: {
        entityName: "admin",
        projectName: artifact.project,
        artifactTypeName: artifact.type,
        artifactCollectionName: artifact.name,
        digest: md5(JSON.stringify([contents, artifact.metadata]), "hex"),
        metadata: JSON.stringify(artifact.metadata ?? {}),
        aliases: [{ artifactCollectionName: artifact.name, alias: "latest" }],
      },
    },
  );
  const { id } = createArtifact.artifact;
  const manifest = JSON.stringify({
    version: 1,
    storagePolicy: "wandb-storage-policy-v1",
    storagePolicyConfig: { storageLayout: "V2" },
    contents,
  });
  const { createArtifactManifest } = await app.data<{
    createArtifactManifest: { artifactManifest: { file: { uploadUrl: string } } };
  }>(
    `mutation Manifest($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) {
       artifactManifest { file { uploadUrl } } } }`,
    {
      input: {
        artifactID: id,
        name: "wandb_manifest.json",
        digest: md5(manifest),
        entityName: "admin",
        projectName: artifact.project,
        runName: "",
      },
    },
  );
  await put(app, createArtifactManifest.artifactManifest.file.uploadUrl, manifest);
  const { createArtifactFiles } = await app.data<{
    createArtifactFiles: { files: { edges: { node: { uploadUrl: string | null } }[] } };
  }>(
    `mutation Files($files: [CreateArtifactFileSpecInput!]!) { createArtifactFiles(input: { artifactFiles: $files }) {
       files { edges { node { uploadUrl } } } } }`,
    {
      files: Object.entries(artifact.files).map(([name, content]) => ({ artifactID: id, name, md5: md5(content) })),
    },
  );
  // The answers come in the order of the question; a content that is there already has no address.
  for (const [index, content] of Object.values(artifact.files).entries()) {
    const url = createArtifactFiles.files.edges[index]?.node.uploadUrl;
    if (url) await put(app, url, content);
  }
  await app.data(`mutation Commit($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { id } } }`, {
    id,
  });
  return id;
}

async function put(app: TestApp, url: string, body: string): Promise<void> {
  const { pathname, search } = new URL(url);
  const { status } = await app.request(pathname + search, { method: "PUT", body });
  if (status !== 200) throw new Error(`PUT ${pathname} was answered ${status}`);
}
