import { nextPoint, type Observation, type Point } from "../../../core/sweeps/next-point.ts";
import type { SweepConfig } from "../../../core/sweeps/sweep-config.ts";
import { finishedSweepRuns, type SweepRecord } from "../../../store/sweeps.ts";
import type { ServiceContext } from "../context.ts";

/** More would cost too much time for each new run. */
const OBSERVATIONS = 200;

/** The newest runs of a sweep that have ended with their metric. */
export async function observationsOf(
  { database }: ServiceContext,
  sweep: SweepRecord,
  { metric }: SweepConfig,
): Promise<readonly Observation[]> {
  if (metric === null) return [];
  return (await finishedSweepRuns(database.kysely, sweep.id, OBSERVATIONS)).flatMap(({ point, summaryMetrics }) => {
    const value = metricOf(summaryMetrics, metric.name);
    return value === undefined ? [] : [{ point: JSON.parse(point) as number[], metric: value }];
  });
}

/** What bayes learns from; the other methods need nothing. */
export async function learntFrom(
  context: ServiceContext,
  sweep: SweepRecord,
  config: SweepConfig,
): Promise<readonly Observation[]> {
  return config.method === "bayes" ? observationsOf(context, sweep, config) : [];
}

/** The point of a sweep's run number `position`. */
export function pointAt(
  { random }: Pick<ServiceContext, "random">,
  config: SweepConfig,
  position: number,
  seen: readonly Observation[],
): Point {
  const fraction = () => random(4).reduce((sum, byte) => (sum + byte) / 256, 0);
  return nextPoint(config, position, seen, fraction);
}

/** The metric by its name, dots leading inward; undefined where it is no finite number. */
function metricOf(summary: string, name: string): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(summary);
  } catch {
    return undefined;
  }
  const whole = (value as Record<string, unknown> | null)?.[name];
  const inner = (from: unknown, key: string) => (from as Record<string, unknown> | null | undefined)?.[key];
  const found = whole ?? name.split(".").reduce(inner, value);
  return typeof found === "number" && Number.isFinite(found) ? found : undefined;
}
