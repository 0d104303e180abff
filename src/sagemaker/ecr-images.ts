import { DescribeImagesCommand, type ECRClient } from "@aws-sdk/client-ecr";
import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { type EcrRepository, parseEcrRepository } from "../core/image-repository.ts";
import { classifyAwsError } from "./aws-problem.ts";

export interface EcrImage {
  readonly accountId: string;
  readonly region: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** The parts of an image on ECR; undefined for an image that lies elsewhere. */
export function parseEcrImage(image: string): EcrImage | undefined {
  const match = /^([^/]+)\/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image);
  if (match === null) return undefined;
  const repository = parseEcrRepository(`${match[1]}/${match[2]}`);
  if ("problem" in repository) return undefined;
  return {
    accountId: repository.accountId,
    region: repository.region,
    repository: repository.repository,
    ...(match[3] === undefined && match[4] === undefined ? { tag: "latest" } : {}),
    ...(match[3] === undefined ? {} : { tag: match[3] }),
    ...(match[4] === undefined ? {} : { digest: match[4] }),
  };
}

/** `unknown`: not on ECR, or we may not look; SageMaker will tell. */
export type ImagePresence = "present" | "missing" | "unknown";

/** Asks ECR whether an image exists (one DescribeImages). Throws what the SDK threw for trouble that may pass. */
export async function imagePresence(
  image: string,
  ecr: (region: string) => ECRClient,
): Promise<{ readonly presence: ImagePresence; readonly reason?: string }> {
  const parsed = parseEcrImage(image);
  if (parsed === undefined) return { presence: "unknown", reason: "it is not on Amazon ECR" };
  try {
    await ecr(parsed.region).send(
      new DescribeImagesCommand({
        registryId: parsed.accountId,
        repositoryName: parsed.repository,
        imageIds: [parsed.digest === undefined ? { imageTag: parsed.tag } : { imageDigest: parsed.digest }],
      }),
    );
    return { presence: "present" };
  } catch (error) {
    const problem = classifyAwsError(error);
    if (problem.kind === "not_found") return { presence: "missing", reason: problem.message };
    if (problem.passing) throw error;
    return { presence: "unknown", reason: problem.message };
  }
}

/** The digest behind a tag (one DescribeImages); undefined if there is none. Throws REPOSITORY_NOT_FOUND, else what the SDK threw. */
export async function ecrImageDigest(
  ecr: ECRClient,
  repository: Pick<EcrRepository, "accountId" | "repository" | "registryHost">,
  tag: string,
): Promise<string | undefined> {
  try {
    const { imageDetails } = await ecr.send(
      new DescribeImagesCommand({
        registryId: repository.accountId,
        repositoryName: repository.repository,
        imageIds: [{ imageTag: tag }],
      }),
    );
    return imageDetails?.[0]?.imageDigest;
  } catch (error) {
    const { name } = error as Error;
    if (name === "ImageNotFoundException") return undefined;
    if (name !== "RepositoryNotFoundException") throw error;
    const values = { registry: repository.registryHost, repository: repository.repository };
    throw new SlipwayError("REPOSITORY_NOT_FOUND", { values, where: "registry.uri", cause: error });
  }
}

/** Answers imagePresence of an image. */
export type ImageLookup = (image: string) => ReturnType<typeof imagePresence>;

/** How long an image that was there is taken to be there still: SageMaker tells if it has gone since. */
const REMEMBERED_MS = 300_000;
const REMEMBERED_IMAGES = 1_000;

/** Looks images up and remembers for five minutes those that exist: the runs of a sweep share one. */
export function createImageLookup(ecr: (region: string) => ECRClient, clock: Clock): ImageLookup {
  const seenAt = new Map<string, number>();
  return async (image) => {
    const at = seenAt.get(image);
    if (at !== undefined && clock.now() - at < REMEMBERED_MS) return { presence: "present" };
    seenAt.delete(image);
    const found = await imagePresence(image, ecr);
    if (found.presence === "present") {
      if (seenAt.size >= REMEMBERED_IMAGES) seenAt.clear();
      seenAt.set(image, clock.now());
    }
    return found;
  };
}
