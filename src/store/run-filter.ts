import { type RawBuilder, sql } from "kysely";
import type { RunField, RunFilter, RunOrder, RunTest, TextColumn, TimeColumn } from "../core/runs/run-filter.ts";
import type { JsonSearch } from "./json-search.ts";

/*
 * Filters and orders of runs as SQL. The statement names the runs `r`, their projects `p`, the projects' owners `e` and the
 * runs' users `u`.
 */

const TEXTS: Readonly<Record<TextColumn, RawBuilder<string | null>>> = {
  state: sql`r.state`,
  name: sql`r.name`,
  displayName: sql`r.display_name`,
  description: sql`r.description`,
  notes: sql`r.notes`,
  group: sql`r.group_name`,
  jobType: sql`r.job_type`,
  username: sql`u.name`,
  host: sql`r.host`,
  program: sql`r.program`,
  commit: sql`r."commit"`,
  sweep: sql`r.sweep_name`,
  entity: sql`e.name`,
  project: sql`p.name`,
};
const TIMES: Readonly<Record<TimeColumn, RawBuilder<number | null>>> = {
  createdAt: sql`r.created_at`,
  heartbeatAt: sql`r.heartbeat_at`,
};
const DURATION: RawBuilder<number> = sql`((COALESCE(r.heartbeat_at, r.created_at) - r.created_at) / 1000.0)`;
const TAGS: RawBuilder<string> = sql`r.tags`;
const DOCUMENTS = { config: sql<string>`r.config_search`, summary: sql<string>`r.summary_search` } as const;
const SIGNS = { less: sql`<`, atMost: sql`<=`, more: sql`>`, atLeast: sql`>=` } as const;

/** Never NULL, so that its opposite is what does not pass. */
export function filterSql(json: JsonSearch, filter: RunFilter): RawBuilder<boolean> {
  switch (filter.kind) {
    case "and":
    case "or":
      return joined(
        filter.parts.map((part) => filterSql(json, part)),
        filter.kind === "and",
      );
    case "not":
      return sql`NOT (${filterSql(json, filter.part)})`;
    case "test":
      return sql`COALESCE(${testSql(json, filter.field, filter.test)}, FALSE)`;
  }
}

function joined(parts: readonly RawBuilder<boolean>[], all: boolean): RawBuilder<boolean> {
  if (parts.length === 0) return all ? sql`(1 = 1)` : sql`(1 = 0)`;
  return sql`(${sql.join(parts, all ? sql` AND ` : sql` OR `)})`;
}

function testSql(json: JsonSearch, field: RunField, test: RunTest): RawBuilder<boolean> {
  switch (field.kind) {
    case "text":
      return plainTest(json, TEXTS[field.column], test);
    case "time":
      return plainTest(json, TIMES[field.column], test);
    case "duration":
      return plainTest(json, DURATION, test);
    case "tags":
      return tagsTest(json, test);
    case "json": {
      const document = DOCUMENTS[field.document];
      if (test.op === "equals" && test.value === null)
        return sql`NOT ${anyPath(field.paths, (path) => sql`COALESCE(${json.kind(document, path)}, 'null') <> 'null'`)}`;
      return anyPath(field.paths, (path) => jsonTest(json, document, path, test));
    }
  }
}

const anyPath = (paths: readonly (readonly string[])[], test: (path: readonly string[]) => RawBuilder<boolean>) =>
  joined(
    paths.map((path) => sql`COALESCE(${test(path)}, FALSE)`),
    false,
  );

function plainTest(json: JsonSearch, column: RawBuilder<string | number | null>, test: RunTest): RawBuilder<boolean> {
  switch (test.op) {
    case "equals":
      return test.value === null ? sql`${column} IS NULL` : sql`${column} = ${test.value}`;
    case "exists":
      return sql`${column} IS NOT NULL`;
    case "matches":
      return json.matches(column as RawBuilder<string | null>, test.pattern);
    default:
      return typeof test.value === "string"
        ? sql`${json.sortable(column as RawBuilder<string>)} ${SIGNS[test.op]} ${test.value}`
        : sql`${column} ${SIGNS[test.op]} ${test.value}`;
  }
}

function tagsTest(json: JsonSearch, test: RunTest): RawBuilder<boolean> {
  switch (test.op) {
    case "equals":
      return test.value === null ? sql`${TAGS} = '[]'` : json.equals(TAGS, [], test.value);
    case "exists":
      return sql`${TAGS} <> '[]'`;
    case "matches":
      return json.elementMatches(TAGS, [], test.pattern);
    default:
      // No tag is before or after another.
      return sql`(1 = 0)`;
  }
}

function jsonTest(
  json: JsonSearch,
  document: RawBuilder<string>,
  path: readonly string[],
  test: RunTest,
): RawBuilder<boolean> {
  switch (test.op) {
    case "equals":
      return json.equals(document, path, test.value);
    case "exists":
      return sql`${json.kind(document, path)} IS NOT NULL`;
    case "matches":
      return joined(
        [json.matches(json.text(document, path), test.pattern), json.elementMatches(document, path, test.pattern)].map(
          (part) => sql`COALESCE(${part}, FALSE)`,
        ),
        false,
      );
    default:
      return typeof test.value === "string"
        ? sql`${json.sortable(json.text(document, path) as RawBuilder<string>)} ${SIGNS[test.op]} ${test.value}`
        : sql`${json.number(document, path)} ${SIGNS[test.op]} CAST(${test.value} AS DOUBLE PRECISION)`;
  }
}

/** A value that is never NULL, by which rows are sorted. */
export interface SortTerm {
  readonly value: RawBuilder<string | number>;
  readonly type: "text" | "number";
  readonly descending: boolean;
}

/** What to sort by, in turn; runs without a value come last either way, and the run's id decides between equals. */
export function orderTerms(json: JsonSearch, orders: readonly RunOrder[]): readonly SortTerm[] {
  const last = orders[0]?.descending ?? false;
  const id: SortTerm = { value: sql`r.id`, type: "text", descending: last };
  return [...orders.flatMap((order) => termsOf(json, order)), { ...id, value: json.sortable(sql`r.id`) }];
}

function termsOf(json: JsonSearch, { field, descending }: RunOrder): readonly SortTerm[] {
  const text = (value: RawBuilder<string | null>): SortTerm => ({
    value: json.sortable(sql`COALESCE(${value}, '')`),
    type: "text",
    descending,
  });
  const number = (value: RawBuilder<number | null>): SortTerm => ({
    value: sql`COALESCE(${value}, 0)`,
    type: "number",
    descending,
  });
  const missing = (value: RawBuilder<unknown>): SortTerm => ({
    value: sql`CASE WHEN ${value} IS NULL THEN 1 ELSE 0 END`,
    type: "number",
    descending: false,
  });
  switch (field.kind) {
    case "text":
      return [missing(TEXTS[field.column]), text(TEXTS[field.column])];
    case "time":
      return [missing(TIMES[field.column]), number(TIMES[field.column])];
    case "duration":
      return [number(DURATION)];
    case "tags":
      return [];
    case "json": {
      const document = DOCUMENTS[field.document];
      const first = <T>(of: (path: readonly string[]) => RawBuilder<T>): RawBuilder<T> =>
        field.paths.length === 1 ? of(field.paths[0] ?? []) : sql`COALESCE(${sql.join(field.paths.map(of))})`;
      const kind = sql<number>`CASE ${first((path) => json.kind(document, path))}
        WHEN 'number' THEN 0 WHEN 'string' THEN 1 WHEN 'boolean' THEN 2 ELSE 3 END`;
      return [
        { value: kind, type: "number", descending: false },
        number(first((path) => json.number(document, path))),
        text(first((path) => json.text(document, path))),
      ];
    }
  }
}
