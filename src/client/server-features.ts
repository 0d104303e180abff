import { SlipwayError } from "../core/errors/slipway-error.ts";
import { LEASES_FEATURE } from "../core/protocol.ts";
import type { Client } from "./client.ts";
import { ServerFeaturesDocument } from "./generated/operations.ts";

/** Whether the server leases items (serverInfo.features); one that does not is spoken to in the wandb client's words alone. */
export async function hasLeases(client: Pick<Client, "request">): Promise<boolean> {
  try {
    const { serverInfo } = await client.request(ServerFeaturesDocument, {});
    return serverInfo?.features.some(({ name, isEnabled }) => name === LEASES_FEATURE && isEnabled) === true;
  } catch (error) {
    if (isUnknownWord(error)) return false;
    throw error;
  }
}

/** True for the answer to an operation that names a type, field or argument which the server does not know (GraphQL's own words). */
export function isUnknownWord(error: unknown): error is SlipwayError {
  return (
    error instanceof SlipwayError &&
    (error.code === "GRAPHQL_INVALID" || error.code === "SERVER_REFUSED") &&
    /Cannot query field|Unknown (type|field|argument)|is not defined by type/.test(error.message)
  );
}
