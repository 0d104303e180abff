import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import {
  deleteAliases,
  deleteMembers,
  findCollection,
  insertMember,
  listAliases,
  listMembers,
  setAlias,
  takeVersion,
} from "../../../store/artifact-collections.ts";
import { type ArtifactRecord, findArtifact, markDeleted, updateArtifact } from "../../../store/artifacts.ts";
import type { AliasOfCollection, ArtifactsService } from "../artifacts.ts";
import type { ServiceContext } from "../context.ts";
import type { Principal } from "../principal.ts";
import { type ArtifactAccess, notFound } from "./access.ts";
import { type ArtifactParts, checkedAlias, checkName } from "./parts.ts";

/** What is changed of a version that is there, and its membership in portfolios. */
export function createArtifactChanges(
  context: ServiceContext,
  access: ArtifactAccess,
  { setAliases, collectionNamed }: ArtifactParts,
): Pick<ArtifactsService, "update" | "addAliases" | "deleteAliases" | "remove" | "link" | "unlink"> {
  const { database, clock, newId } = context;
  const { kysely } = database;

  /** A collection of the project to put aliases in: the version must be a member of it. */
  async function collectionOf(principal: Principal, artifact: ArtifactRecord, alias: AliasOfCollection) {
    const { entityName, projectName, collectionName } = alias;
    const name = `${entityName}/${projectName}/${collectionName}`;
    // The artifact's own project is writable already; a portfolio may lie in another.
    const run = principal.run === null ? null : principal.run.runName;
    const project = await access.projectToWrite(principal, { entityName, projectName, runName: run });
    const collection = await findCollection(kysely, { projectId: project.id, name: collectionName });
    if (!collection) throw notFound(name);
    const members = await listMembers(kysely, { artifactId: artifact.id, collectionId: collection.id });
    if (members.length === 0) throw notFound(`${name} with the version ${artifact.collectionName}`);
    return collection;
  }

  return {
    async update(principal, id, { tagsToAdd, tagsToDelete, aliases, ...change }) {
      const onlyMetadata = tagsToAdd.length + tagsToDelete.length === 0 && !aliases && !change.description;
      if (onlyMetadata && change.metadata && (await access.completable(principal, id))) {
        await updateArtifact(kysely, id, { metadata: change.metadata, updatedAt: clock.now() });
        const completed = await findArtifact(kysely, id);
        if (completed) return completed;
      }
      const artifact = await access.writable(principal, id);
      const tags = [...new Set([...artifact.tags, ...tagsToAdd])].filter((tag) => !tagsToDelete.includes(tag));
      await database.transaction(clock, async (tx) => {
        await updateArtifact(tx.kysely, id, { ...change, tags: JSON.stringify(tags), updatedAt: tx.now });
        if (aliases === undefined) return;
        await deleteAliases(tx.kysely, { artifactId: id, collectionId: artifact.collectionId });
        await setAliases(tx, artifact, aliases);
      });
      return (await findArtifact(kysely, id)) ?? artifact;
    },

    async addAliases(principal, id, aliases) {
      const artifact = await access.writable(principal, id);
      for (const alias of aliases) {
        const collection = await collectionOf(principal, artifact, alias);
        const row = { id: newId(), collectionId: collection.id, alias: checkedAlias(alias.alias), artifactId: id };
        await setAlias(kysely, row);
      }
    },

    async deleteAliases(principal, id, aliases) {
      const artifact = await access.writable(principal, id);
      for (const alias of aliases) {
        const collection = await collectionOf(principal, artifact, alias);
        await deleteAliases(kysely, { artifactId: id, collectionId: collection.id, aliases: [alias.alias] });
      }
    },

    async remove(principal, id, withAliases) {
      const artifact = await access.writable(principal, id);
      const aliases = await listAliases(kysely, { artifactId: id });
      if (aliases.length > 0 && !withAliases) {
        const name = `${artifact.collectionName}:v${artifact.versionIndex}`;
        const list = aliases.map(({ alias }) => alias).join(", ");
        throw new SlipwayError("ARTIFACT_HAS_ALIASES", { values: { name, aliases: list } });
      }
      await database.transaction(clock, async (tx) => void (await markDeleted(tx.kysely, [id], tx.now)));
      return { ...artifact, state: "DELETED" };
    },

    async link(principal, { artifactId, entityName, projectName, portfolioName, aliases }) {
      checkName(portfolioName, "artifactPortfolioName");
      const artifact = await access.readable(principal, artifactId);
      if (artifact?.state !== "COMMITTED") throw notFound(artifactId);
      const run = principal.run === null ? null : principal.run.runName;
      const project = await access.projectToWrite(principal, { entityName, projectName, runName: run });
      return database.transaction(clock, async (tx) => {
        const collection = await collectionNamed(tx, {
          projectId: project.id,
          name: portfolioName,
          kind: "PORTFOLIO",
          typeName: artifact.typeName,
        });
        const of = { artifactId, collectionId: collection.id };
        if ((await listMembers(tx.kysely, of)).length === 0) {
          const versionIndex = await takeVersion(tx.kysely, collection.id, tx.now);
          await insertMember(tx.kysely, { id: newId(), ...of, versionIndex, createdAt: tx.now });
        }
        for (const alias of new Set([...aliases, "latest"])) {
          await setAlias(tx.kysely, { id: newId(), ...of, alias: checkedAlias(alias) });
        }
        const [member] = await listMembers(tx.kysely, of);
        if (!member) throw new Error("a member that was just made is gone");
        return member;
      });
    },

    async unlink(principal, artifactId, portfolioId) {
      const collection = await findCollection(kysely, { id: portfolioId });
      if (!collection) throw notFound(portfolioId);
      const artifact = await access.readable(principal, artifactId);
      if (!artifact) throw notFound(artifactId);
      if (collection.kind !== "PORTFOLIO") {
        const problem = `${collection.name} is where the version was logged; delete the version instead`;
        throw new SlipwayError("INPUT_INVALID", { values: { problem }, where: "artifactPortfolioID" });
      }
      await access.writable(principal, artifactId);
      await database.transaction(clock, async (tx) => {
        await deleteAliases(tx.kysely, { artifactId, collectionId: collection.id });
        await deleteMembers(tx.kysely, { artifactId, collectionId: collection.id });
      });
    },
  };
}
