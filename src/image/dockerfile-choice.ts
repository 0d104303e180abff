import { stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { SlipwayError } from "../core/errors/slipway-error.ts";

/** The name that the wandb client looks for beside the entry point. */
export const WANDB_DOCKERFILE = "Dockerfile.wandb";

/** How the image of some code is made. */
export interface DockerfileChoice {
  /** Directory inside the code that is the build context; "" is all of it. */
  readonly context: string;
  /** Path of the Dockerfile inside the context. */
  readonly dockerfile: string;
  /** The entry point as it reads from inside the context. */
  readonly entryPoint: readonly string[];
}

/**
 * The Dockerfile of some code, as the wandb agent chooses it (wandb/sdk/launch/builder/context_manager.py): the one that was named,
 * else a Dockerfile.wandb beside the entry point's file, whose directory then is the build context; undefined: there is none, and
 * the image is made of base, requirements and entry point. Errors: DOCKERFILE_NOT_FOUND.
 */
export async function chooseDockerfile(
  directory: string,
  named: string | undefined,
  entryPoint: readonly string[],
): Promise<DockerfileChoice | undefined> {
  if (named !== undefined) {
    const dockerfile = posix.normalize(named).replace(/^\.\//, "");
    const leaves = dockerfile.startsWith("/") || dockerfile === ".." || dockerfile.startsWith("../");
    if (leaves || !(await isFile(join(directory, dockerfile))))
      throw new SlipwayError("DOCKERFILE_NOT_FOUND", { values: { dockerfile: named }, where: named });
    return { context: "", dockerfile, entryPoint };
  }
  const at = await scriptAt(directory, entryPoint);
  const context = at < 0 ? "" : posix.dirname(posix.normalize(entryPoint[at]!)).replace(/^\.$/, "");
  if (context.startsWith("..") || context.startsWith("/")) return undefined;
  if (!(await isFile(join(directory, context, WANDB_DOCKERFILE)))) return undefined;
  const words = entryPoint.map((word, index) => (index === at ? posix.basename(word) : word));
  return { context, dockerfile: WANDB_DOCKERFILE, entryPoint: words };
}

/** Where in the entry point the file stands that is run: the last word that is a file of the code; -1: none is. */
async function scriptAt(directory: string, entryPoint: readonly string[]): Promise<number> {
  for (let at = entryPoint.length - 1; at >= 0; at -= 1) {
    const word = entryPoint[at]!;
    if (word !== "" && !word.startsWith("/") && (await isFile(join(directory, word)))) return at;
  }
  return -1;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
