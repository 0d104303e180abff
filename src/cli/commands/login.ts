import { Command } from "commander";
import colors from "picocolors";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { readCliConfig } from "../config.ts";
import { storeLogin } from "../login-store.ts";

export function loginCommand(): Command {
  return new Command("login")
    .description("Keep a server's API key in ~/.netrc, where the wandb client finds it too.")
    .argument("[key]", "the API key; read from standard input if absent")
    .option("--host <url>", "the server (default: WANDB_BASE_URL, else http://127.0.0.1:8080)")
    .option("--json", "print JSON")
    .action(async (given: string | undefined, options: { host?: string; json?: boolean }) => {
      const [{ createClient }, { ViewerDocument }] = await Promise.all([
        import("../../client/client.ts"),
        import("../../client/generated/operations.ts"),
      ]);
      const config = readCliConfig();
      const baseUrl = parseHost(options.host ?? config.env.WANDB_BASE_URL ?? "http://127.0.0.1:8080");
      const apiKey = given ?? (await askForKey());
      const { viewer } = await createClient({ baseUrl, apiKey }).request(ViewerDocument, {});
      if (viewer == null) throw new SlipwayError("NOT_LOGGED_IN", { values: { url: baseUrl } });
      await storeLogin(config, baseUrl, apiKey);
      if (options.json)
        return console.log(JSON.stringify({ baseUrl, username: viewer.username, entity: viewer.entity }));
      console.log(`${colors.green("logged in")} to ${baseUrl} as ${viewer.username}`);
    });
}

function parseHost(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new SlipwayError("USAGE", {
      values: { problem: `--host must be a URL such as https://slipway.example.com, not "${text}"` },
      where: "--host",
    });
  }
  return text.replace(/\/+$/, "");
}

async function askForKey(): Promise<string> {
  if (process.stdin.isTTY) {
    const { createInterface } = await import("node:readline/promises");
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return (await lines.question("API key: ")).trim();
    } finally {
      lines.close();
    }
  }
  const { text } = await import("node:stream/consumers");
  const key = (await text(process.stdin)).trim();
  if (key === "") throw new SlipwayError("USAGE", { values: { problem: "no API key was given" }, where: "key" });
  return key;
}
