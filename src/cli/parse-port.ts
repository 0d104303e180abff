import { SlipwayError } from "../core/errors/slipway-error.ts";

/** A TCP port from the command line; 0 takes any free one. @throws USAGE */
export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  const problem = `a port is a number from 0 to 65535, not "${text}"`;
  throw new SlipwayError("USAGE", { values: { problem }, where: "--port" });
}
