import { Command } from "commander";
import { collect } from "../collect.ts";
import { openSession } from "../session.ts";

interface Options {
  data?: string;
  json?: boolean;
}

export function adminCommand(): Command {
  const admin = new Command("admin").description("Users and teams of this server. Needs an admin's key.");
  const user = admin.command("user").description("Users.");
  user
    .command("create <name>")
    .description("Create a user; prints their API key, once.")
    .option("--api-key <key>", "a key they already have; - reads it from standard input, @FILE from a file")
    .option("--email <address>")
    .option("--admin", "let them do everything")
    .option("--data <dir>", "use the server that runs in this data directory")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options & { apiKey?: string; email?: string; admin?: boolean }) => {
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
