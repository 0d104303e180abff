import type { Kysely } from "kysely";
import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import { findEntity } from "../../../store/entities.ts";
import { findProject } from "../../../store/projects.ts";
import type { EntityRecord, RunRecord } from "../../../store/records.ts";
import { findRun } from "../../../store/runs.ts";
import type { Tables } from "../../../store/tables.ts";
import { maySee, requireRole } from "../authorize.ts";
import type { Principal } from "../principal.ts";

export interface RunRef {
  readonly entityName: string;
  readonly projectName: string;
  readonly name: string;
}

/** Finds runs that a principal may see or change. */
export interface RunAccess {
  /** The run's entity if the principal may see it, or (`write`) write its runs: FORBIDDEN else. */
  entityFor(principal: Principal, ref: RunRef, write: boolean): Promise<EntityRecord | undefined>;
  find(principal: Principal, ref: RunRef, write: boolean): Promise<RunRecord | undefined>;
  /** To change it; RUN_NOT_FOUND. */
  mustFind(principal: Principal, ref: RunRef): Promise<RunRecord>;
}

export function createRunAccess(kysely: Kysely<Tables>): RunAccess {
  /** The key of one job is good for its own run; everybody else's for the entities they may see (or, to write, belong to). */
  async function entityFor(principal: Principal, ref: RunRef, write: boolean): Promise<EntityRecord | undefined> {
    const entity = await findEntity(kysely, { name: ref.entityName });
    const { run } = principal;
    if (run !== null) {
      const own = run.entityId === entity?.id && run.projectName === ref.projectName && run.runName === ref.name;
      return own ? entity : undefined;
    }
    if (!entity || !maySee(principal, entity.id)) return undefined;
    if (write) requireRole(principal, entity, "MEMBER", "write runs");
    return entity;
  }

  async function find(principal: Principal, ref: RunRef, write: boolean): Promise<RunRecord | undefined> {
    const entity = await entityFor(principal, ref, write);
    const project = entity && (await findProject(kysely, { entityId: entity.id, name: ref.projectName }));
    return project && findRun(kysely, { projectId: project.id, name: ref.name });
  }

  return {
    entityFor,
    find,
    async mustFind(principal, ref) {
      const run = await find(principal, ref, true);
      if (run) return run;
      const values = { run: ref.name, project: ref.projectName, entity: ref.entityName };
      throw new SlipwayError("RUN_NOT_FOUND", { values });
    },
  };
}
