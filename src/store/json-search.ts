import { type RawBuilder, sql } from "kysely";
import type { JsonValue } from "../core/json.ts";
import type { SearchPattern } from "../core/search-pattern.ts";

/** Keys from the document's root; none is the root itself. */
export type JsonPath = readonly string[];

/**
 * Looking into JSON texts, which must be strict JSON. A value that is not there is SQL's NULL, and so is what is asked of
 * it; no path and no value is ever part of the statement's text.
 */
export interface JsonSearch {
  /** number, string, boolean, null, array or object. */
  kind(document: RawBuilder<string>, path: JsonPath): RawBuilder<string | null>;
  /** NULL for what is no number. */
  number(document: RawBuilder<string>, path: JsonPath): RawBuilder<number | null>;
  /** NULL for what is no string. */
  text(document: RawBuilder<string>, path: JsonPath): RawBuilder<string | null>;
  /** Is it this value (not null), or a list with this value in it? */
  equals(document: RawBuilder<string>, path: JsonPath, value: JsonValue): RawBuilder<boolean>;
  /** Has the list an element that is a text with the pattern in it? */
  elementMatches(document: RawBuilder<string>, path: JsonPath, pattern: SearchPattern): RawBuilder<boolean>;
  matches(text: RawBuilder<string | null>, pattern: SearchPattern): RawBuilder<boolean>;
  /** A text that sorts by its characters' numbers, whatever the language. */
  sortable(text: RawBuilder<string>): RawBuilder<string>;
}

export const sqliteJson: JsonSearch = {
  kind: (document, path) => sql`CASE json_type(${document}, ${sqlitePath(path)})
    WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'text' THEN 'string'
    WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE json_type(${document}, ${sqlitePath(path)}) END`,
  number: (document, path) => sql`CASE WHEN json_type(${document}, ${sqlitePath(path)}) IN ('integer', 'real')
    THEN CAST(json_extract(${document}, ${sqlitePath(path)}) AS REAL) END`,
  text: (document, path) => sql`CASE WHEN json_type(${document}, ${sqlitePath(path)}) = 'text'
    THEN json_extract(${document}, ${sqlitePath(path)}) END`,
  equals(document, path, value) {
    const at = sqlitePath(path);
    if (typeof value === "object") return sql`json_extract(${document}, ${at}) = json(${JSON.stringify(value)})`;
    // json_each gives the elements of a list, and a single value by itself; an object's members are not meant.
    const element =
      typeof value === "number"
        ? sql`j.type IN ('integer', 'real') AND j.value = ${value}`
        : typeof value === "string"
          ? sql`j.type = 'text' AND j.value = ${value}`
          : sql`j.type = ${String(value)}`;
    return sql`(json_type(${document}, ${at}) <> 'object'
      AND EXISTS (SELECT 1 FROM json_each(${document}, ${at}) AS j WHERE ${element}))`;
  },
  elementMatches: (
    document,
    path,
    pattern,
  ) => sql`EXISTS (SELECT 1 FROM json_each(${document}, ${sqlitePath(path)}) AS j
    WHERE j.type = 'text' AND ${sqliteMatches(sql`j.value`, pattern)})`,
  matches: sqliteMatches,
  sortable: (text) => text,
};

function sqliteMatches(text: RawBuilder<string | null>, { sqlite, ignoreCase }: SearchPattern): RawBuilder<boolean> {
  return ignoreCase ? sql`lower(${text}) REGEXP ${sqlite}` : sql`${text} REGEXP ${sqlite}`;
}

/** The keys must have no quotation marks: SQLite's paths can't hold them. */
function sqlitePath(path: JsonPath): string {
  return `$${path.map((key) => `."${key}"`).join("")}`;
}

export const postgresJson: JsonSearch = {
  kind: (document, path) => sql`jsonb_typeof(${postgresValue(document, path)})`,
  // The value is taken out once (OFFSET 0 keeps the planner from copying it): reading a config of 100 keys takes 50 us.
  number: (document, path) => sql`(SELECT CASE WHEN jsonb_typeof(v) = 'number' THEN (v #>> '{}')::double precision END
    FROM (SELECT ${postgresValue(document, path)} AS v OFFSET 0) AS found)`,
  text: (document, path) => sql`(SELECT CASE WHEN jsonb_typeof(v) = 'string' THEN v #>> '{}' END
    FROM (SELECT ${postgresValue(document, path)} AS v OFFSET 0) AS found)`,
  equals(document, path, value) {
    const at = postgresValue(document, path);
    const json = sql`${JSON.stringify(value)}::jsonb`;
    // A list contains a single value that is among its elements.
    return typeof value === "object" ? sql`${at} = ${json}` : sql`${at} @> ${json}`;
  },
  elementMatches: (document, path, pattern) => sql`(CASE WHEN jsonb_typeof(${postgresValue(document, path)}) = 'array'
    THEN EXISTS (SELECT 1 FROM jsonb_array_elements(${postgresValue(document, path)}) AS j
      WHERE jsonb_typeof(j) = 'string' AND ${postgresMatches(sql`(j #>> '{}')`, pattern)}) ELSE FALSE END)`,
  matches: postgresMatches,
  sortable: (text) => sql`(${text}) COLLATE "C"`,
};

function postgresMatches(
  text: RawBuilder<string | null>,
  { postgres, ignoreCase }: SearchPattern,
): RawBuilder<boolean> {
  return ignoreCase ? sql`${text} ~* ${postgres}` : sql`${text} ~ ${postgres}`;
}

function postgresValue(document: RawBuilder<string>, path: JsonPath): RawBuilder<unknown> {
  return path.length === 0 ? sql`${document}::jsonb` : sql`(${document}::jsonb #> ${[...path]}::text[])`;
}
