import { type Kysely, type RawBuilder, sql } from "kysely";
import type { RunFilter, RunOrder } from "../core/runs/run-filter.ts";
import type { JsonSearch } from "./json-search.ts";
import type { RunRecord } from "./records.ts";
import { filterSql, orderTerms, type SortTerm } from "./run-filter.ts";
import { findRunsByIds } from "./runs.ts";
import type { Tables } from "./tables.ts";

/** A run's place in an order: the values that it is sorted by. */
export type RunPlace = readonly (string | number)[];

export interface RunQuery {
  readonly projectId: string;
  readonly filter: RunFilter;
  readonly orders: readonly RunOrder[];
  /** Runs after this place; one that does not fit the order is as if it were absent. */
  readonly after: RunPlace | null;
  readonly limit: number;
}

const FROM: RawBuilder<unknown> = sql`FROM runs r
  INNER JOIN projects p ON p.id = r.project_id
  INNER JOIN entities e ON e.id = p.entity_id
  LEFT JOIN users u ON u.id = r.user_id`;

/** Runs of a project that pass the filter, in order, each with its place. */
export async function queryRuns(
  db: Kysely<Tables>,
  json: JsonSearch,
  query: RunQuery,
): Promise<readonly { readonly run: RunRecord; readonly place: RunPlace }[]> {
  const terms = orderTerms(json, query.orders);
  const values = sql.join(terms.map((term, n) => sql`${term.value} AS ${sql.ref(`t${n}`)}`));
  const order = sql.join(terms.map((term) => sql`${term.value} ${term.descending ? sql`DESC` : sql`ASC`}`));
  const after = query.after === null || query.after.length !== terms.length ? undefined : behind(terms, query.after);
  const found = await sql<Record<string, string | number>>`
    SELECT r.id AS id, ${values} ${FROM}
    WHERE r.project_id = ${query.projectId} AND ${filterSql(json, query.filter)} ${after ? sql`AND ${after}` : sql``}
    ORDER BY ${order} LIMIT ${query.limit}`.execute(db);
  const runs = new Map(
    (
      await findRunsByIds(
        db,
        found.rows.map((row) => String(row.id)),
      )
    ).map((run) => [run.id, run]),
  );
  return found.rows.flatMap((row) => {
    const run = runs.get(String(row.id));
    const place = terms.map((term, n) => (term.type === "number" ? Number(row[`t${n}`]) : String(row[`t${n}`])));
    return run ? [{ run, place }] : [];
  });
}

export async function countRuns(
  db: Kysely<Tables>,
  json: JsonSearch,
  query: { readonly projectId: string; readonly filter: RunFilter },
): Promise<number> {
  const found = await sql<{ count: number }>`SELECT COUNT(*) AS count ${FROM}
    WHERE r.project_id = ${query.projectId} AND ${filterSql(json, query.filter)}`.execute(db);
  return Number(found.rows[0]?.count ?? 0);
}

/** Rows behind a place: equal in the first terms, and further on in the next. */
function behind(terms: readonly SortTerm[], place: RunPlace): RawBuilder<boolean> {
  const cases = terms.map((term, n) => {
    const before = terms.slice(0, n).map((other, m) => sql`${other.value} = ${bound(other, place[m])}`);
    const further = sql`${term.value} ${term.descending ? sql`<` : sql`>`} ${bound(term, place[n])}`;
    return sql`(${sql.join([...before, further], sql` AND `)})`;
  });
  return sql`(${sql.join(cases, sql` OR `)})`;
}

function bound(term: SortTerm, value: string | number | undefined): RawBuilder<unknown> {
  return term.type === "number" ? sql`CAST(${Number(value)} AS DOUBLE PRECISION)` : sql`${String(value)}`;
}
