import { mkdirSync } from "node:fs";
import path from "node:path";
import type { LocalAwsContext } from "../service.ts";
import { type BlobStore, createBlobStore } from "./blob-store.ts";
import { createGarbageCollector, type GarbageCollector } from "./garbage.ts";
import { createImageStore, type ImageStore } from "./image-store.ts";
import { createImages, type Images } from "./images.ts";
import { createRepositories, type Repositories } from "./repositories.ts";
import { createEcrTables } from "./tables.ts";
import { createRegistryTokens, type RegistryTokens } from "./tokens.ts";
import { createUploads, type Uploads } from "./uploads.ts";

/** The registry of images: what the ECR API, the `/v2/` routes and the training runtimes share. */
export interface Ecr {
  readonly repositories: Repositories;
  readonly images: Images;
  readonly blobs: BlobStore;
  readonly uploads: Uploads;
  readonly tokens: RegistryTokens;
  readonly garbage: GarbageCollector;
  /** Images for the training runtimes. */
  readonly store: ImageStore;
}

/** Opens the registry in `DATA/local-aws`: tables in the context's database, blobs in `blobs/`, unpacked images in `images/`. */
export function createEcr(context: LocalAwsContext): Ecr {
  const { db, clock, dataDir } = context;
  createEcrTables(db);
  const blobDirectory = path.join(dataDir, "blobs");
  const uploadDirectory = path.join(blobDirectory, "uploads");
  mkdirSync(uploadDirectory, { recursive: true });
  const blobs = createBlobStore(blobDirectory);
  const repositories = createRepositories(db, clock);
  const images = createImages(db, clock);
  const unpackDirectory = path.join(dataDir, "images");
  return {
    repositories,
    images,
    blobs,
    uploads: createUploads({ db, blobs, directory: uploadDirectory, clock }),
    tokens: createRegistryTokens(db, clock),
    garbage: createGarbageCollector({ db, blobs, uploadDirectory, unpackDirectory, clock, logger: context.logger }),
    store: createImageStore({ context, repositories, images, blobs, directory: unpackDirectory }),
  };
}
