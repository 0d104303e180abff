import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { findEntity } from "../../store/entities.ts";
import { findProject, insertProject, listProjects, updateProject } from "../../store/projects.ts";
import type { ProjectRecord } from "../../store/records.ts";
import { maySee, mayWrite, requireRole } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { visibleEntity } from "./entity-lookup.ts";
import { type Page, pageSize } from "./page.ts";
import type { Principal } from "./principal.ts";

export interface ProjectsService {
  /** Without an entity the caller's own. Undefined when there is none that the caller may see. */
  get(principal: Principal, entityName: string | null | undefined, name: string): Promise<ProjectRecord | undefined>;
  byId(principal: Principal, id: string): Promise<ProjectRecord | undefined>;
  /** By name; without an entity, those of the caller's own. */
  page(
    principal: Principal,
    query: {
      readonly entityName?: string | null | undefined;
      readonly first: number | null;
      readonly after: string | null;
    },
  ): Promise<Page<ProjectRecord>>;
  mayWrite(principal: Principal, project: ProjectRecord): boolean;
  /** Creates the project or changes what is given. */
  upsert(
    principal: Principal,
    input: {
      readonly entityName?: string | null;
      readonly name: string;
      readonly description?: string | null;
      readonly access?: string | null;
    },
  ): Promise<{ project: ProjectRecord; inserted: boolean }>;
}

const MAX_PAGE = 1000;
/** Characters that the client's own URLs and ids could not carry. */
const BAD_NAME = /[/\\#?%:\p{Cc}]/u;

export function checkProjectName(name: string): void {
  if (name.length === 0 || name.length > 128 || BAD_NAME.test(name))
    throw new SlipwayError("NAME_INVALID", {
      values: { name: JSON.stringify(name) },
      hint: "A project's name has 1 to 128 characters, and none of / \\ # ? % :",
    });
}

export function createProjectsService(context: ServiceContext): ProjectsService {
  const { database, clock, newId } = context;
  const { kysely } = database;
  return {
    async get(principal, entityName, name) {
      const entity = await findEntity(kysely, entityName ? { name: entityName } : { id: principal.entityId });
      if (!entity) return undefined;
      const ofRun = principal.run?.entityId === entity.id && principal.run.projectName === name;
      return maySee(principal, entity.id) || ofRun ? findProject(kysely, { entityId: entity.id, name }) : undefined;
    },

    async byId(principal, id) {
      const project = await findProject(kysely, { id });
      if (!project) return undefined;
      const ofRun = principal.run?.entityId === project.entityId && principal.run.projectName === project.name;
      return maySee(principal, project.entityId) || ofRun ? project : undefined;
    },

    async page(principal, { entityName, first, after }) {
      const entity = await visibleEntity(kysely, principal, entityName);
      const limit = pageSize(first, MAX_PAGE);
      const found = await listProjects(kysely, { entityId: entity.id, after, limit: limit + 1 });
      const nodes = found.slice(0, limit);
      return { nodes, endCursor: nodes.at(-1)?.name ?? null, hasNextPage: found.length > limit };
    },

    mayWrite: (principal, project) => mayWrite(principal, project.entityId),

    async upsert(principal, input) {
      checkProjectName(input.name);
      const entity = await visibleEntity(kysely, principal, input.entityName);
      requireRole(principal, entity, "MEMBER", "make or change projects");
      return database.transaction(clock, async (tx) => {
        const inserted = await insertProject(tx.kysely, {
          id: newId(),
          name: input.name,
          entityId: entity.id,
          description: input.description ?? null,
          access: input.access ?? "PRIVATE",
          userId: principal.userId,
          now: tx.now,
        });
        const project = await findProject(tx.kysely, { entityId: entity.id, name: input.name });
        if (!project) throw new Error("a project that was just made is gone");
        if (inserted) return { project, inserted };
        await updateProject(tx.kysely, project.id, {
          ...(input.description == null ? {} : { description: input.description }),
          ...(input.access == null ? {} : { access: input.access }),
        });
        return { project: (await findProject(tx.kysely, { id: project.id })) ?? project, inserted };
      });
    },
  };
}
