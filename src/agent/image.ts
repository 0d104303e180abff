import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { ecrRegion, ecrRepositoryUri } from "../core/image-repository.ts";
import type { ImageNeed, SubmissionPlan } from "../core/training/submission-plan.ts";
import { readBuildSecrets } from "../image/build-secrets.ts";
import { type BuiltImage, createBuilder } from "../image/builders/builder.ts";
import { readDockerCredentials } from "../image/registry-credentials.ts";
import { ecrImageDigest } from "../sagemaker/ecr-images.ts";
import { ecrToken } from "../sagemaker/ecr-token.ts";
import { createBuildLog } from "./build-log.ts";
import { codeArchive } from "./code/code-archive.ts";
import type { HeldItem } from "./held-item.ts";
import type { JobDeps } from "./job-deps.ts";
import { seconds } from "./step-words.ts";

/**
 * Step 4 of the way of one job: makes sure that the image exists and answers its URI ("" if the job needs none), and the entry
 * point as it reads in an image whose build context was not the whole code. A prebuilt image on ECR is looked for; code becomes
 * an image, keyed by its content, so that what was built before is only found again. Throws SlipwayError (IMAGE_NOT_FOUND, those
 * of src/image), what the AWS SDK threw, or Interrupted.
 */
export async function ensureImage(deps: JobDeps, held: HeldItem, plan: SubmissionPlan): Promise<EnsuredImage> {
  const { image } = plan;
  if (image.kind === "none") return { uri: "" };
  if (image.kind === "prebuilt") return { uri: await checkPrebuilt(deps, held, image.uri) };
  const { imageUri, entryPoint } = await build(deps, held, image);
  return { uri: imageUri, ...(entryPoint === undefined ? {} : { entryPoint }) };
}

export interface EnsuredImage {
  readonly uri: string;
  readonly entryPoint?: readonly string[];
}

async function checkPrebuilt(deps: JobDeps, held: HeldItem, uri: string): Promise<string> {
  const startedAt = deps.clock.now();
  const { presence, reason } = await deps.lookUpImage(uri);
  deps.pass("image-checked");
  if (presence === "missing") throw new SlipwayError("IMAGE_NOT_FOUND", { values: { image: uri }, where: uri });
  const took = seconds(deps.clock.now() - startedAt);
  if (presence === "unknown") deps.logger.info({ item: held.id, image: uri, reason }, "image taken unseen");
  else deps.logger.debug({ item: held.id, image: uri, took }, "image found");
  return uri;
}

async function build(deps: JobDeps, held: HeldItem, need: ImageNeed & { kind: "build" }): Promise<BuiltImage> {
  const { builder, registry } = deps.config.launchConfig;
  const destination = builder.destination ?? registry;
  // With builder docker the code may turn out to have a Dockerfile, which names its own.
  if (need.base === undefined && builder.type !== "docker")
    throw new SlipwayError("BUILD_NEEDS_BASE", { where: "builder.base" });
  if (destination === undefined) throw new SlipwayError("BUILD_NEEDS_REGISTRY", { where: "registry.uri" });
  const { controlPlane, clock } = deps;
  const by =
    need.dockerfile === undefined ? (need.base === undefined ? "" : ` on ${need.base}`) : ` by its ${need.dockerfile}`;
  await controlPlane.report(held, { phase: "building", message: `Building an image of the code${by}` });
  held.check();

  const ecr = deps.aws.ecr(destination.region);
  const imageBuilder = await createBuilder(builder.type, {
    cacheDir: join(deps.config.dataDir, "image-cache"),
    fetch: deps.fetch,
    clock,
    baseCredentials: (host) => baseCredentials(deps, host),
    docker: {
      engine: deps.config.engine,
      ...(builder.network === undefined ? {} : { network: builder.network }),
      secrets: () => readBuildSecrets(builder.secrets ?? {}, deps.config.environment),
    },
  });
  const log = createBuildLog(controlPlane, held, clock.now);
  const workDir = await mkdtemp(join(tmpdir(), "slipway-code-"));
  const interrupt = interruption(held);
  try {
    const { archive, requirements } = await codeArchive(deps, held, need.code, workDir, interrupt.signal);
    deps.pass("code-downloaded");
    const { endpoint } = await ecrToken(ecr);
    let pushing: Promise<void> | undefined;
    const built = await imageBuilder.build({
      source: { archive },
      entryPoint: need.code.entry_point,
      ...(requirements === undefined ? {} : { requirements }),
      ...(need.base === undefined ? {} : { base: need.base }),
      ...(need.dockerfile === undefined ? {} : { dockerfile: need.dockerfile }),
      platform: builder.platform ?? (need.base === "host" ? hostPlatform() : "linux/amd64"),
      ...(builder.python === undefined ? {} : { pythonVersion: builder.python }),
      target: {
        endpoint,
        repository: destination.repository,
        credentials: () => ecrToken(ecr),
        publicName: ecrRepositoryUri(destination),
        findImage: (tag) => ecrImageDigest(ecr, destination, tag),
      },
      signal: interrupt.signal,
      onProgress: ({ step, message, bytes }) => {
        if (bytes === undefined) log.line(message);
        if (step === "pushing") pushing ??= reportPushing(deps, held, message);
      },
    });
    await pushing;
    await log.flush();
    await controlPlane.report(held, imageReport(built));
    deps.pass("image-built");
    return built;
  } catch (error) {
    // What the build said before it failed is the best explanation there is.
    await log.flush().catch(() => {});
    interrupt.signal.throwIfAborted();
    throw error;
  } finally {
    interrupt.clear();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Of a base image: ECR gives logins for every registry that the agent may read; for others Docker's own file is read. */
async function baseCredentials(deps: JobDeps, host: string) {
  const region = ecrRegion(host);
  return region === undefined ? readDockerCredentials(deps.config.dockerConfig, host) : ecrToken(deps.aws.ecr(region));
}

function reportPushing(deps: JobDeps, held: HeldItem, message: string): Promise<void> {
  return deps.controlPlane.report(held, { phase: "pushing", message }).catch((error: unknown) => {
    deps.logger.debug({ item: held.id, err: error }, "phase pushing was not reported");
  });
}

function imageReport(built: BuiltImage): { kind: string; message: string; detail: string } {
  const took = seconds(built.seconds * 1000);
  return {
    kind: "image",
    message: built.cached ? `The image was built before (found in ${took})` : `Image built and pushed in ${took}`,
    detail: JSON.stringify({ image: built.imageUri, digest: built.digest, cached: built.cached }),
  };
}

/** Aborted when the build must not go on: lease lost, stop, closing. */
function interruption(held: HeldItem): { signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const sources = [held.ended, held.stopped];
  const abort = () => controller.abort(sources.find((source) => source.aborted)?.reason);
  for (const source of sources) source.addEventListener("abort", abort, { once: true });
  if (sources.some((source) => source.aborted)) abort();
  return {
    signal: controller.signal,
    clear: () => {
      for (const source of sources) source.removeEventListener("abort", abort);
    },
  };
}

function hostPlatform(): string {
  return process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
}
