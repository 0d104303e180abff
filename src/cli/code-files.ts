import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ArtifactFile } from "../client/artifact-writer.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { readCode } from "../image/pack.ts";
import type { TreeEntry } from "../image/tree.ts";

/**
 * The files of a directory of code as those of an artifact: what `slipway launch DIRECTORY` packs, without the folder `wandb` in
 * which the client keeps its runs. An artifact has no links: a link inside the directory becomes a copy of what it leads to, one
 * that leads nowhere is left out.
 * Errors: CODE_DIRECTORY_NOT_FOUND, CODE_EMPTY, CODE_TOO_LARGE, CODE_LINK_LEAVES_DIRECTORY, CODE_CHANGED_WHILE_PACKING.
 */
export async function codeFiles(directory: string): Promise<ArtifactFile[]> {
  const entries = await readCode(directory);
  const root = await realpath(directory);
  const found = (await Promise.all(entries.map((entry) => filesAt(entry, entries, root)))).flat();
  const files = found.filter(({ path }) => !path.startsWith("wandb/"));
  if (files.length === 0) throw new SlipwayError("CODE_EMPTY", { values: { directory }, where: directory });
  const result: ArtifactFile[] = [];
  for (const file of files) result.push(await artifactFile(file));
  return result;
}

interface FoundFile {
  readonly path: string;
  /** Where its bytes are. */
  readonly source: string;
}

async function filesAt(entry: TreeEntry, entries: readonly TreeEntry[], root: string): Promise<FoundFile[]> {
  if (entry.kind === "directory") return [];
  if (entry.kind === "file") return [{ path: entry.path, source: entry.source }];
  const source = await realpath(join(root, entry.path)).catch(() => undefined);
  if (source === undefined) return [];
  if ((await stat(source)).isFile()) return [{ path: entry.path, source }];
  const inside = relative(root, source);
  const prefix = inside === "" ? "" : `${inside}/`;
  return entries.flatMap((other) =>
    other.kind === "file" && other.path.startsWith(prefix)
      ? [{ path: `${entry.path}/${other.path.slice(prefix.length)}`, source: other.source }]
      : [],
  );
}

async function artifactFile({ path, source }: FoundFile): Promise<ArtifactFile> {
  const hash = createHash("md5");
  let size = 0;
  for await (const chunk of createReadStream(source)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return {
    path,
    size,
    md5: hash.digest("base64"),
    async content() {
      const blob = await openAsBlob(source);
      if (blob.size !== size)
        throw new SlipwayError("CODE_CHANGED_WHILE_PACKING", { values: { file: path }, where: path });
      return blob;
    },
  };
}

/** A text as a file of an artifact. */
export function textFile(path: string, text: string): ArtifactFile {
  return {
    path,
    size: Buffer.byteLength(text),
    md5: createHash("md5").update(text).digest("base64"),
    content: async () => new Blob([text]),
  };
}
