import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Logger } from "pino";
import { pack } from "tar-stream";
import { EngineRefusal, query } from "../../containers/engine-http.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { compressionOf, readDecompressed } from "../ecr/decompress.ts";
import type { ResolvedImage } from "../ecr/image-store.ts";
import { type DockerEngine, readProgress } from "./docker-engine.ts";

/** The local registry as the engine's pulls need it. */
export interface LocalRegistry {
  /** `127.0.0.1:PORT`: engines take plain HTTP from loopback addresses without being told. */
  host(): string;
  /** A password for user `AWS` that may read the image's registry. */
  password(image: ResolvedImage): string;
  /** The blob's compressed file, for an engine that cannot reach the registry. */
  blobPath(digest: string): string;
}

export interface EngineImages {
  has(name: string): Promise<boolean>;
  /** Makes sure that the engine has the image and gives the name to run it by. Throws ENGINE_IMAGE_FAILED. */
  ensure(image: ResolvedImage | { readonly engineImage: string }): Promise<string>;
}

export function createEngineImages(engine: DockerEngine, registry: LocalRegistry, logger: Logger): EngineImages {
  const id = async (name: string) => {
    const found = await engine.callUnless([404, 400], "GET", `/images/${encodeURI(name)}/json`);
    return (found as { Id: string } | undefined)?.Id;
  };

  async function pull(image: ResolvedImage): Promise<string | undefined> {
    const name = `${registry.host()}/${image.repository}`;
    const login = { username: "AWS", password: registry.password(image), serveraddress: registry.host() };
    const answer = await engine.open("POST", `/images/create${query({ fromImage: name, tag: image.digest })}`, {
      // Base64 for URLs, padded: without the padding older engines drop its end, and the login with it.
      headers: { "x-registry-auth": Buffer.from(JSON.stringify(login)).toString("base64").replace(/[+/]/g, urlSafe) },
    });
    await readProgress(answer);
    return id(`${name}@${image.digest}`);
  }

  return {
    has: async (name) => (await id(name)) !== undefined,

    async ensure(image) {
      if ("engineImage" in image) {
        const found = await id(image.engineImage);
        if (found !== undefined) return found;
        throw new SlipwayError("ENGINE_IMAGE_FAILED", {
          values: { image: image.engineImage, reason: "no such image in the engine" },
        });
      }
      // An engine calls an image by the digest of its configuration; what it has built or pulled before is not pulled again.
      const known = await id(image.configDigest);
      if (known !== undefined) return known;
      const startedAt = performance.now();
      const reference = `${image.repository}@${image.digest}`;
      try {
        let found = await pull(image).catch((error: unknown) => {
          if (!(error instanceof EngineRefusal)) throw error;
          logger.warn(
            { image: reference, reason: error.message },
            "the engine cannot pull from the local ECR: loading",
          );
          return undefined;
        });
        if (found === undefined) {
          const archive = archiveOf(image, registry);
          await readProgress(await engine.open("POST", "/images/load?quiet=1", { body: archive }));
          found = await id(image.configDigest);
        }
        if (found === undefined) throw new EngineRefusal(404, "the engine does not have it after loading");
        logger.info({ image: reference, ms: Math.round(performance.now() - startedAt) }, "image given to the engine");
        return found;
      } catch (error) {
        if (!(error instanceof EngineRefusal)) throw error;
        throw new SlipwayError("ENGINE_IMAGE_FAILED", { values: { image: reference, reason: error.message } });
      }
    },
  };
}

const urlSafe = (char: string) => (char === "+" ? "-" : "_");

/** The image as `docker save` writes it: manifest.json, the configuration and the layers, which may stay gzipped. */
function archiveOf(image: ResolvedImage, registry: LocalRegistry): Readable {
  const archive = pack();
  const layers = image.layers.map(({ digest }, index) => `${index}-${digest.replace(":", "-")}.tar`);
  const config = `${image.configDigest.replace("sha256:", "")}.json`;
  const write = async () => {
    archive.entry({ name: "manifest.json" }, JSON.stringify([{ Config: config, RepoTags: null, Layers: layers }]));
    await addFile(archive, config, registry.blobPath(image.configDigest));
    for (const [index, layer] of image.layers.entries()) await addFile(archive, layers[index]!, layer.path);
    archive.finalize();
  };
  write().catch((error: Error) => archive.destroy(error));
  return archive as unknown as Readable;
}

/** Older engines read gzip but not zstd; a tar entry's size comes first, so that zstd is decompressed once to be measured. */
async function addFile(archive: ReturnType<typeof pack>, name: string, file: string): Promise<void> {
  if ((await compressionOf(file)) !== "zstd") {
    const { size } = await stat(file);
    return pipeline(createReadStream(file), archive.entry({ name, size }));
  }
  let size = 0;
  for await (const chunk of await readDecompressed(file)) size += (chunk as Buffer).length;
  return pipeline(await readDecompressed(file), archive.entry({ name, size }));
}
