import { SlipwayError } from "../core/errors/slipway-error.ts";

/** Splits `name=value`; the value may hold further equals signs. @throws USAGE */
export function nameAndValue(setting: string, where: string): { name: string; value: string } {
  const equals = setting.indexOf("=");
  if (equals > 0) return { name: setting.slice(0, equals), value: setting.slice(equals + 1) };
  throw new SlipwayError("USAGE", { values: { problem: `${where} takes name=value, not "${setting}"` }, where });
}
