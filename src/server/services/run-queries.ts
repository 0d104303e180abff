import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { parseRunFilter, parseRunOrder } from "../../core/runs/run-filter.ts";
import type { ProjectRecord, RunRecord } from "../../store/records.ts";
import { countRuns, queryRuns, type RunPlace } from "../../store/run-queries.ts";
import { findRun } from "../../store/runs.ts";
import { maySee } from "./authorize.ts";
import type { ServiceContext } from "./context.ts";
import { type Page, pageSize } from "./page.ts";
import type { Principal } from "./principal.ts";

export interface RunInList {
  readonly run: RunRecord;
  /** Pass as `after` to go on behind it. */
  readonly cursor: string;
}

export type RunList = Page<RunInList>;

/** Lists of a project's runs. The key of one job sees its own run alone. */
export interface RunQueriesService {
  /** RUN_FILTER_INVALID names what is wrong in filter or order. */
  list(
    principal: Principal,
    project: ProjectRecord,
    query: {
      readonly filters?: string | null;
      readonly order?: string | null;
      readonly first?: number | null;
      readonly after?: string | null;
    },
  ): Promise<RunList>;
  count(principal: Principal, project: ProjectRecord, filters: string | null): Promise<number>;
}

const MAX_PAGE = 1000;

export function createRunQueriesService({ database }: ServiceContext): RunQueriesService {
  const { kysely, dialect } = database;

  /** What of the project the caller sees by its role: all or nothing. */
  async function ownRun(principal: Principal, project: ProjectRecord): Promise<RunRecord | undefined> {
    const { run } = principal;
    const own = run !== null && run.entityId === project.entityId && run.projectName === project.name;
    return own ? findRun(kysely, { projectId: project.id, name: run.runName }) : undefined;
  }

  return {
    async list(principal, project, { filters, order, first, after }) {
      const filter = parseRunFilter(filters);
      const orders = parseRunOrder(order);
      const limit = pageSize(first, MAX_PAGE);
      if (!maySee(principal, project.entityId)) {
        const run = after == null ? await ownRun(principal, project) : undefined;
        return { nodes: run ? [{ run, cursor: "" }] : [], endCursor: null, hasNextPage: false };
      }
      const found = await queryRuns(kysely, dialect.json, {
        projectId: project.id,
        filter,
        orders,
        after: after == null ? null : placeOf(after),
        limit: limit + 1,
      });
      const nodes = found.slice(0, limit).map(({ run, place }) => ({ run, cursor: cursorOf(place) }));
      return { nodes, endCursor: nodes.at(-1)?.cursor ?? null, hasNextPage: found.length > limit };
    },

    async count(principal, project, filters) {
      const filter = parseRunFilter(filters);
      if (!maySee(principal, project.entityId)) return (await ownRun(principal, project)) ? 1 : 0;
      return countRuns(kysely, dialect.json, { projectId: project.id, filter });
    },
  };
}

const cursorOf = (place: RunPlace) => Buffer.from(JSON.stringify(place), "utf8").toString("base64url");

function placeOf(cursor: string): RunPlace {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(place) && place.every((value) => typeof value === "string" || typeof value === "number"))
      return place;
  } catch {
    // Told below.
  }
  const problem = `${cursor} is not the cursor of a list of runs`;
  throw new SlipwayError("REQUEST_INVALID", { values: { problem }, where: "after" });
}
