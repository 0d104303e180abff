import type { Clock } from "../../core/clock.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { EngineAddress } from "../engine/engine.ts";
import type { CredentialsProvider } from "../registry-credentials.ts";

/** What an image is made of and where it goes. */
export interface BuildRequest {
  /** A tar.gz of code (as `packDirectory` makes it), or a directory of it. */
  readonly source: { readonly archive: string } | { readonly directory: string };
  /** The command of the image, an argument list; the working directory is the code's. */
  readonly entryPoint: readonly string[];
  /** Path of the requirements file inside the code. */
  readonly requirements?: string;
  /** Path inside the code of the Dockerfile that makes the image; absent: `Dockerfile.wandb` beside the entry point, if there is one. */
  readonly dockerfile?: string;
  /**
   * An image reference, or `host`: no base at all, to be run over the file system of the machine that built it. May be absent
   * for code with a Dockerfile.
   */
  readonly base?: string;
  /** `linux/amd64` or `linux/arm64`; for the base `host` it must be this machine's own. */
  readonly platform: string;
  /** Python version in the base image (`3.11`), where the image itself does not tell. */
  readonly pythonVersion?: string;
  readonly target: BuildTarget;
  readonly onProgress?: (event: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

export interface BuildTarget {
  /** The registry API: `https://HOST` or `http://HOST:PORT`. */
  readonly endpoint: string;
  readonly repository: string;
  readonly credentials: CredentialsProvider;
  /** `HOST/REPOSITORY` by which others know it, for the image's URI; a base image on the same HOST is read from `endpoint`. */
  readonly publicName: string;
  /** The digest of a tag, asked of the registry's owner (ECR's DescribeImages); throws to have the registry itself asked. */
  readonly findImage?: (tag: string) => Promise<string | undefined>;
}

/** What a builder is doing now. */
export interface BuildProgress {
  readonly step: "code" | "base" | "dependencies" | "building" | "pushing" | "unchanged" | "done";
  /** A short line for people. */
  readonly message: string;
  readonly bytes?: number;
  readonly totalBytes?: number;
}

export interface BuiltImage {
  /** `publicName:tag`; the tag follows from the content. */
  readonly imageUri: string;
  /** Of the manifest. */
  readonly digest: string;
  /** True if the registry had the image already and nothing was built. */
  readonly cached: boolean;
  readonly seconds: number;
  /** The entry point as it reads in the image, where a Dockerfile's build context is not the whole code. */
  readonly entryPoint?: readonly string[];
}

/** What builders need of the machine. */
export interface BuilderDependencies {
  /** Directory of layers kept between builds; may be shared by several agents of one machine. */
  readonly cacheDir: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Credentials for the host of a base image, for instance `readDockerCredentials`; anonymous where absent. */
  readonly baseCredentials?: (host: string) => ReturnType<CredentialsProvider>;
  /** The Python of the base `host` and the one whose pip resolves packages; `python3` where absent. */
  readonly python?: string;
  /** For the builder docker. */
  readonly docker?: DockerBuilderSettings;
}

/** What the builder docker is told in launch-config.yaml and the environment. */
export interface DockerBuilderSettings {
  readonly engine: EngineAddress;
  /** The network of the steps; the engine's own default where absent. */
  readonly network?: "host" | "none";
  /** Reads the secrets that steps may mount, by id. Throws BUILD_SECRET_MISSING. */
  readonly secrets?: () => Promise<ReadonlyMap<string, Buffer>>;
}

/** Turns code into an image in a registry. */
export interface ImageBuilder {
  build(request: BuildRequest): Promise<BuiltImage>;
}

/** The builder types that launch-config.yaml may name. */
export const BUILDER_TYPES = ["layer", "noop", "docker", "kaniko"] as const;
export type BuilderType = (typeof BUILDER_TYPES)[number];

/** The builder of a type. Errors: BUILDER_NOT_AVAILABLE. */
export async function createBuilder(type: BuilderType, dependencies: BuilderDependencies): Promise<ImageBuilder> {
  switch (type) {
    case "layer":
      return (await import("./layer.ts")).createLayerBuilder(dependencies);
    case "docker":
      return (await import("./docker.ts")).createDockerBuilder(dependencies);
    case "noop":
      return (await import("./noop.ts")).createNoopBuilder();
    default:
      throw new SlipwayError("BUILDER_NOT_AVAILABLE", { values: { builder: type }, where: "builder.type" });
  }
}
