import { Command } from "commander";
import { collect } from "../collect.ts";
import { openSession } from "../session.ts";

interface Options {
  data?: string;
  json?: boolean;
}

interface GivenKey {
  apiKey?: string;
  apiKeyFile?: string;
  apiKeyStdin?: boolean;
}

export function adminCommand(): Command {
  const admin = new Command("admin").description("Users and teams of this server. Needs an admin's key.");
  const user = admin.command("user").description("Users.");
  user
    .command("create <name>")
    .description("Create a user; prints their API key, once.")
    .option("--api-key <key>", "a key they already have; - reads it from standard input, @FILE from a file")
    .option("--api-key-file <file>", "read that key from a file")
    .option("--api-key-stdin", "read that key from standard input")
    .option("--email <address>")
    .option("--admin", "let them do everything")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options & GivenKey & { email?: string; admin?: boolean }) => {
      const { createUser } = await import("../admin.ts");
      await createUser(await openSession(options), name, options);
    });
  user
    .command("delete <name>")
    .description("Delete a user and their keys; what they pushed stays.")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options) => {
      const { deleteUser } = await import("../admin.ts");
      await deleteUser(await openSession(options), name, options.json === true);
    });
  user
    .command("list")
    .description("List users.")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { listUsers } = await import("../admin.ts");
      await listUsers(await openSession(options), options.json === true);
    });
  const key = admin.command("key").description("API keys of people. A job's own key comes and goes with its item.");
  key
    .command("create <user>")
    .description("Give a user another key; prints it, once.")
    .option("--name <text>", "what it is for", "made by an admin")
    .option("--api-key <key>", "a key they already have; - reads it from standard input, @FILE from a file")
    .option("--api-key-file <file>", "read that key from a file")
    .option("--api-key-stdin", "read that key from standard input")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (username: string, options: Options & GivenKey & { name: string }) => {
      const { createKey } = await import("../admin-keys.ts");
      await createKey(await openSession(options), username, options);
    });
  key
    .command("list")
    .description("List everybody's keys: id, beginning, when last used. The keys themselves are kept nowhere.")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { listKeys } = await import("../admin-keys.ts");
      await listKeys(await openSession(options), options.json === true);
    });
  key
    .command("revoke <id>")
    .description("End a key at once; `admin key list` shows the ids.")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (id: string, options: Options) => {
      const { revokeKey } = await import("../admin-keys.ts");
      await revokeKey(await openSession(options), id, options.json === true);
    });
  admin
    .command("team")
    .description("Teams.")
    .command("create <name>")
    .description("Create a team with its members.")
    .option("--member <user:role>", "role: viewer, member or admin; may be given several times", collect)
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options & { member?: string[] }) => {
      const { createTeam } = await import("../admin.ts");
      await createTeam(await openSession(options), name, options.member ?? [], options.json === true);
    });
  return admin;
}
