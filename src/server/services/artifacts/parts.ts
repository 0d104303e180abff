import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import {
  type ArtifactCollectionRecord,
  findCollection,
  insertCollection,
  setAlias,
} from "../../../store/artifact-collections.ts";
import { type ArtifactRecord, insertArtifactRun, type WantedAlias } from "../../../store/artifacts.ts";
import type { Tx } from "../../../store/database.ts";
import type { NewId } from "../../../store/ids.ts";

/** Collections, aliases and runs of artifacts, as they are put in beside other changes. */
export interface ArtifactParts {
  /** The aliases that are for the version's own collection; others are left alone. */
  setAliases(tx: Tx, artifact: ArtifactRecord, aliases: readonly WantedAlias[]): Promise<void>;
  /** The collection of the name, made if it is not there; INPUT_INVALID if it is there for something else. */
  collectionNamed(
    tx: Tx,
    of: Pick<ArtifactCollectionRecord, "projectId" | "name" | "kind" | "typeName">,
  ): Promise<ArtifactCollectionRecord>;
  /** That a run has made (output) or used (input) the version; nothing without a run. */
  noteRun(
    tx: Tx,
    artifactId: string,
    runId: string | null | undefined,
    direction: "input" | "output",
    usedAs: string | null,
  ): Promise<void>;
}

const NAME = /^[\w.\- ]{1,128}$/;
export function createArtifactParts(newId: NewId): ArtifactParts {
  async function setAliases(tx: Tx, artifact: ArtifactRecord, aliases: readonly WantedAlias[]): Promise<void> {
    for (const { collectionName, alias } of aliases) {
      if (collectionName !== artifact.collectionName) continue;
      const { collectionId, id: artifactId } = artifact;
      await setAlias(tx.kysely, { id: newId(), collectionId, alias: checkedAlias(alias), artifactId });
    }
  }

  async function collectionNamed(
    tx: Tx,
    of: Pick<ArtifactCollectionRecord, "projectId" | "name" | "kind" | "typeName">,
  ): Promise<ArtifactCollectionRecord> {
    await insertCollection(tx.kysely, { id: newId(), ...of, createdAt: tx.now });
    const found = await findCollection(tx.kysely, of);
    if (!found) throw new Error("a collection that was just made is gone");
    if (found.typeName !== of.typeName || found.kind !== of.kind) {
      const is = found.kind === of.kind ? `has the type ${found.typeName}, not ${of.typeName}` : kindOf(found);
      const problem = `${of.name} ${is}`;
      throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactCollectionName" });
    }
    return found;
  }

  async function noteRun(
    tx: Tx,
    artifactId: string,
    runId: string | null | undefined,
    direction: "input" | "output",
    usedAs: string | null,
  ): Promise<void> {
    if (!runId) return;
    await insertArtifactRun(tx.kysely, { artifactId, runId, direction, usedAs, createdAt: tx.now });
  }

  return { setAliases, collectionNamed, noteRun };
}

const kindOf = ({ kind }: ArtifactCollectionRecord) =>
  kind === "PORTFOLIO"
    ? "is a portfolio: versions are linked to it, not logged"
    : "is logged by runs: link to another name";

/** Throws INPUT_INVALID for what can't be the name of a collection or a type. */
export function checkName(name: string, where: string): void {
  if (NAME.test(name)) return;
  const problem = `${JSON.stringify(name)} can't be a name; it has 1 to 128 letters, digits, and any of _ - . and space`;
  throw new SlipwayError("INPUT_INVALID", { values: { problem }, where });
}

/** An alias; those that look like a version's number would hide it. */
export function checkedAlias(alias: string): string {
  const bad = alias === "" || alias.length > 128 || /[/:\p{Cc}]/u.test(alias) || /^v\d+$/.test(alias);
  if (!bad) return alias;
  const problem = `${JSON.stringify(alias)} can't be an alias; it has 1 to 128 characters, none of / and :, and does not look like v3`;
  throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "aliases" });
}
