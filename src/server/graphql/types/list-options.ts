import { SlipwayError } from "../../../core/errors/slipway-error.ts";

/**
 * Refuses a filter or an order that a list has no means to follow: to ignore one would pass off the wrong list as the
 * asked one. `always`: the conditions that each entry of the list meets by itself. INPUT_INVALID.
 */
export function refuseListOptions(
  { filters, order }: { readonly filters?: string | null | undefined; readonly order?: string | null | undefined },
  always: Readonly<Record<string, unknown>> = {},
): void {
  const refuse = (problem: string, where: string) => new SlipwayError("INPUT_INVALID", { values: { problem }, where });
  if (order) throw refuse(`this list can't be ordered by ${order}; leave the order out`, "order");
  if (!filters) return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(filters);
  } catch {
    throw refuse("filters is not JSON", "filters");
  }
  if (parsed === null) return;
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw refuse("filters is not a JSON object", "filters");
  for (const [name, value] of Object.entries(parsed)) {
    if (Object.hasOwn(always, name) && always[name] === value) continue;
    throw refuse(`this list has no filter ${name}: ${JSON.stringify(value)}; leave it out`, "filters");
  }
}
