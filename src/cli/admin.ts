import colors from "picocolors";
import {
  CreateTeamDocument,
  CreateUserDocument,
  DeleteUserDocument,
  UsersDocument,
} from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { nearest } from "../core/nearest.ts";
import { type GivenKey, givenKey } from "./given-key.ts";
import { printTable } from "./output/table.ts";
import type { Session } from "./session.ts";

const ROLES = ["VIEWER", "MEMBER", "ADMIN"] as const;

export async function createUser(
  { client }: Session,
  name: string,
  options: GivenKey & { email?: string; admin?: boolean; json?: boolean },
): Promise<void> {
  const apiKey = await givenKey(options);
  const { createUser } = await client.request(CreateUserDocument, {
    input: {
      name,
      admin: options.admin === true,
      ...(options.email === undefined ? {} : { email: options.email }),
      ...(apiKey === undefined ? {} : { apiKey }),
    },
  });
  if (options.json) return console.log(JSON.stringify({ ...createUser.user, apiKey: createUser.apiKey }));
  console.log(`${colors.green("created")} user ${name}${options.admin ? " (admin)" : ""}`);
  if (apiKey === undefined) console.log(`API key (shown once): ${createUser.apiKey}`);
}

export async function deleteUser({ client }: Session, name: string, json: boolean): Promise<void> {
  await client.request(DeleteUserDocument, { name });
  if (json) return console.log(JSON.stringify({ deleted: name }));
  console.log(`${colors.green("deleted")} user ${name}`);
}

export async function listUsers({ client }: Session, json: boolean): Promise<void> {
  const found = await client.request(UsersDocument, {});
  const users = found.users?.edges.map(({ node }) => node) ?? [];
  if (json) return console.log(JSON.stringify(users));
  printTable(
    ["user", "email", "admin"],
    users.map((user) => [user.username, user.email ?? "-", user.admin ? "yes" : "no"]),
  );
}

export async function createTeam(
  { client }: Session,
  name: string,
  members: readonly string[],
  json: boolean,
): Promise<void> {
  const { createTeam } = await client.request(CreateTeamDocument, {
    input: { name, members: members.map(parseMember) },
  });
  if (json) return console.log(JSON.stringify(createTeam.entity));
  console.log(`${colors.green("created")} team ${name}`);
}

function parseMember(text: string): { username: string; role: (typeof ROLES)[number] } {
  const [username = "", word = "member", ...more] = text.split(":");
  const role = ROLES.find((one) => one === word.toUpperCase());
  if (username !== "" && role !== undefined && more.length === 0) return { username, role };
  const near = nearest(word, ROLES);
  const problem = `--member takes USER:ROLE with role viewer, member or admin, not "${text}"${near ? ` (did you mean ${near.toLowerCase()}?)` : ""}`;
  throw new SlipwayError("USAGE", { values: { problem }, where: "--member" });
}
