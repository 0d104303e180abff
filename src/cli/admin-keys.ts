import colors from "picocolors";
import { CreateApiKeyDocument, DeleteApiKeyDocument, KeysOfUsersDocument } from "../client/generated/operations.ts";
import { type GivenKey, givenKey } from "./given-key.ts";
import { printTable } from "./output/table.ts";
import type { Session } from "./session.ts";

/** Gives a user another key; one that was made is printed, this once. */
export async function createKey(
  { client }: Session,
  username: string,
  options: GivenKey & { name: string; json?: boolean },
): Promise<void> {
  const apiKey = await givenKey(options);
  const input = { username, name: options.name, ...(apiKey === undefined ? {} : { apiKey }) };
  const { createApiKey } = await client.request(CreateApiKeyDocument, { input });
  if (options.json) return console.log(JSON.stringify({ ...createApiKey.apiKey, key: createApiKey.key }));
  console.log(`${colors.green("created")} key ${createApiKey.apiKey.name} of ${username}`);
  if (apiKey === undefined) console.log(`API key (shown once): ${createApiKey.key}`);
}

/** Everybody's keys; of each its beginning alone is known. */
export async function listKeys({ client }: Session, json: boolean): Promise<void> {
  const { users } = await client.request(KeysOfUsersDocument, {});
  const keys = (users?.edges ?? []).flatMap(({ node }) =>
    (node.apiKeys?.edges ?? []).map((edge) => ({ user: node.username, ...edge.node })),
  );
  if (json) return console.log(JSON.stringify(keys));
  printTable(
    ["user", "key", "for", "last used", "id"],
    keys.map((key) => [key.user, key.name, key.description ?? "-", key.lastUsedAt ?? "never", key.id]),
  );
}

export async function revokeKey({ client }: Session, id: string, json: boolean): Promise<void> {
  await client.request(DeleteApiKeyDocument, { id });
  if (json) return console.log(JSON.stringify({ revoked: id }));
  console.log(`${colors.green("revoked")} ${id}`);
}
