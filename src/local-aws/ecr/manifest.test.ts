import { expect, test } from "vitest";
import { choosePlatform } from "./image-store.ts";
import {
  type Descriptor,
  DOCKER_MANIFEST,
  MANIFEST_LIMIT,
  OCI_INDEX,
  OCI_MANIFEST,
  parseManifest,
} from "./manifest.ts";
import { parseImageReference, parseRegistryHost } from "./names.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: digest("c"), size: 3 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: digest("a"), size: 5 };
const parse = (document: object, claimed?: string) => parseManifest(Buffer.from(JSON.stringify(document)), claimed);

test("the document's own media type, else the request's, else what it looks like", () => {
  const image = { schemaVersion: 2, config, layers: [layer] };
  expect(parse({ ...image, mediaType: OCI_MANIFEST }).mediaType).toBe(OCI_MANIFEST);
  expect(parse(image, DOCKER_MANIFEST).mediaType).toBe(DOCKER_MANIFEST);
  expect(parse(image, "application/octet-stream").mediaType).toBe(OCI_MANIFEST);
  expect(parse({ schemaVersion: 2, manifests: [] })).toMatchObject({ mediaType: OCI_INDEX, index: true });
  expect(parse(image)).toMatchObject({ index: false, config, layers: [layer], manifests: [] });
});

test.each([
  ["not an object", [], "must be a JSON object"],
  ["schema version 1", { schemaVersion: 1 }, "schema version 2"],
  ["no config", { schemaVersion: 2, layers: [] }, "config must be a descriptor"],
  ["no layers", { schemaVersion: 2, config }, "list of layers"],
  ["a bad digest", { schemaVersion: 2, config, layers: [{ ...layer, digest: "md5:1" }] }, "layers[0].digest"],
  ["a bad size", { schemaVersion: 2, config, layers: [{ ...layer, size: -1 }] }, "layers[0].size"],
  ["a foreign type", { schemaVersion: 2, mediaType: "text/plain", config, layers: [] }, "supported media type"],
])("%s is refused", (_name, document, message) => {
  expect(() => parse(document)).toThrow(message);
});

test("a media type that contradicts the request's and a manifest beyond the limit are refused", () => {
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] };
  expect(() => parse(document, DOCKER_MANIFEST)).toThrow("must have the media type of the request");
  expect(() => parseManifest(Buffer.alloc(MANIFEST_LIMIT + 1, 0x20), undefined)).toThrow("less than or equal");
});

test("an index gives this machine's image, never another architecture's or an attestation", () => {
  const entry = (letter: string, platform?: Descriptor["platform"]): Descriptor => ({
    mediaType: OCI_MANIFEST,
    digest: digest(letter),
    size: 1,
    ...(platform === undefined ? {} : { platform }),
  });
  const arm = entry("1", { os: "linux", architecture: "arm64" });
  const amd = entry("2", { os: "linux", architecture: "amd64" });
  const attestation = entry("3", { os: "unknown", architecture: "unknown" });
  expect(choosePlatform([attestation, arm, amd], "amd64")).toBe(amd);
  expect(choosePlatform([arm, attestation], "amd64")).toBeUndefined();
  expect(choosePlatform([entry("4"), attestation], "amd64")?.digest).toBe(digest("4"));
  expect(choosePlatform([], "amd64")).toBeUndefined();
});

test("references are taken apart", () => {
  const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
  expect(parseImageReference(`${host}/team/model`)).toEqual({ host, repository: "team/model", tag: "latest" });
  expect(parseImageReference(`${host}/a:v1`)).toEqual({ host, repository: "a", tag: "v1" });
  expect(parseImageReference(`${host}/a:v1@${digest("d")}`)).toEqual({ host, repository: "a", digest: digest("d") });
  expect(parseImageReference("127.0.0.1:4566/a")).toMatchObject({ host: "127.0.0.1:4566" });
  for (const bad of ["python:3", "library/python", `${host}/UPPER`, `${host}/a@sha256:1`, `${host}/a:-x`, ""])
    expect(parseImageReference(bad), bad).toBeUndefined();
  expect(parseRegistryHost(host)).toEqual({ accountId: "123456789012", region: "us-east-1" });
  expect(parseRegistryHost("127.0.0.1:4566")).toBeUndefined();
});
