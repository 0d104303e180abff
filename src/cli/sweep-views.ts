import colors from "picocolors";
import { SweepDocument, SweepsDocument } from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { parseLooseJson } from "../core/loose-json.ts";
import { valueOfKey } from "../core/runs/history-keys.ts";
import { parseSweepConfig } from "../core/sweeps/sweep-config.ts";
import { printTable } from "./output/table.ts";
import { ago } from "./output/time.ts";
import { projectOf } from "./project.ts";
import type { Session } from "./session.ts";

interface ViewOptions {
  readonly project?: string;
  readonly json?: boolean;
}

const PAGE = 100;

export async function listSweeps(session: Session, options: ViewOptions & { readonly limit: number }): Promise<void> {
  const at = { entityName: await session.entity(), projectName: projectOf(session, options.project) };
  const sweeps: SweepRow[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof pageOfSweeps>> = await pageOfSweeps(session, {
      ...at,
      after,
      first: Math.min(PAGE, options.limit - sweeps.length),
    });
    sweeps.push(...(page?.edges ?? []).map(({ node }) => node));
    after = page?.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? null) : null;
  } while (after !== null && sweeps.length < options.limit);
  if (options.json) return console.log(JSON.stringify(sweeps));
  if (sweeps.length === 0) {
    const { projectName } = at;
    return console.log(
      `No sweeps in ${at.entityName}/${projectName}. Make one: slipway sweep create FILE -q QUEUE -p ${projectName}`,
    );
  }
  const now = Date.now();
  printTable(
    ["sweep", "name", "method", "state", "runs", "best", "age"],
    sweeps.map((sweep) => [
      sweep.name,
      sweep.displayName ?? "-",
      sweep.method,
      sweep.state,
      `${sweep.runCount}${sweep.runCountExpected == null ? "" : ` of ${sweep.runCountExpected}`}`,
      sweep.bestLoss ?? "-",
      ago(sweep.createdAt, now),
    ]),
  );
}

type SweepRow = NonNullable<Awaited<ReturnType<typeof pageOfSweeps>>>["edges"][number]["node"];

async function pageOfSweeps(
  session: Session,
  page: { entityName: string; projectName: string; first: number; after: string | null },
) {
  const { project } = await session.client.request(SweepsDocument, page);
  if (project == null)
    throw new SlipwayError("PROJECT_NOT_FOUND", {
      values: { name: page.projectName, entity: page.entityName },
      where: "--project",
    });
  return project.sweeps;
}

export async function showSweep(session: Session, name: string, options: ViewOptions): Promise<void> {
  const entityName = await session.entity();
  const projectName = projectOf(session, options.project);
  const { project } = await session.client.request(SweepDocument, { entityName, projectName, name });
  const sweep = project?.sweep;
  if (!sweep) throw new SlipwayError("SWEEP_NOT_FOUND", { values: { sweep: name }, where: "sweep" });
  const { metric, choices } = parseSweepConfig(sweep.config);
  const names = [...new Set(choices.map(({ path }) => path[0] ?? ""))];
  const runs = (sweep.runs?.edges ?? [])
    .map(({ node }) => node)
    // The scheduler has a run of its own, of the sweep's name.
    .filter((run) => run.name !== name)
    .map((run) => {
      const summary = objectOf(run.summaryMetrics);
      return {
        name: run.name,
        state: run.state,
        item: run.runQueueItem?.id ?? null,
        itemState: run.runQueueItem?.state ?? null,
        message: run.runQueueItem?.message ?? null,
        parameters: Object.fromEntries(
          names.map((key) => [key, parameterOf(objectOf(run.config)[key]) ?? givenTo(run, key)]),
        ),
        metric: metric === null ? null : (valueOfKey(summary, metric.name) ?? null),
        createdAt: run.createdAt,
      };
    });
  const scheduler = project?.run?.runQueueItem ?? null;
  if (options.json) return console.log(JSON.stringify({ ...sweep, runs, metric, schedulerItem: scheduler }));
  const of = sweep.runCountExpected == null ? "" : ` of ${sweep.runCountExpected}`;
  console.log(`${colors.bold(`${entityName}/${projectName}/${name}`)}  ${sweep.state}  ${sweep.displayName ?? ""}`);
  if (sweep.description) console.log(sweep.description);
  const line = (label: string, value: unknown) => console.log(`${colors.dim(label.padEnd(14))}${value}`);
  line("method", sweep.method);
  line("runs", `${sweep.runCount}${of}`);
  if (metric) line("metric", `${metric.name} (${metric.goal}), best ${sweep.bestLoss ?? "-"}`);
  if (scheduler)
    line(
      "scheduler",
      `${scheduler.state} on ${scheduler.queue.name}${scheduler.message ? `: ${scheduler.message}` : ""}`,
    );
  if (runs.length === 0) return;
  console.log("");
  const now = Date.now();
  printTable(
    ["run", "state", ...names, metric?.name ?? "metric", "age"],
    runs.map((run) => [
      ...[run.name, run.state ?? run.itemState ?? "-"],
      ...names.map((key) => shown(run.parameters[key])),
      shown(run.metric),
      ago(run.createdAt, now),
    ]),
  );
}

function objectOf(text: string | null | undefined): JsonObject {
  const value = parseLooseJson(text ?? "{}");
  return isJsonObject(value) ? value : {};
}

/** What a run was pushed with: it tells its config itself only once its code has begun. */
function givenTo(run: { readonly runQueueItem?: { readonly runSpec?: unknown } | null }, key: string): JsonValue {
  const spec = run.runQueueItem?.runSpec;
  const overrides = (typeof spec === "string" ? objectOf(spec) : (spec as JsonObject | undefined))?.overrides;
  const config = isJsonObject(overrides) ? overrides.run_config : undefined;
  return isJsonObject(config) ? (config[key] ?? null) : null;
}

/** A run's config keeps a value under `value`, with what else is known of it beside. */
function parameterOf(entry: JsonValue | undefined): JsonValue {
  return isJsonObject(entry) && "value" in entry ? (entry.value ?? null) : (entry ?? null);
}

const shown = (value: unknown) =>
  value == null ? "-" : typeof value === "object" ? JSON.stringify(value) : String(value);
