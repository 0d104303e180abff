/**
 * Writes the settings table of docs/reference/api.md from src/server/config.ts. With --check it fails if the page is stale.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { SERVER_SETTINGS } from "../src/server/config.ts";
import { writeOrCheck } from "./write-or-check.ts";

const file = "docs/reference/api.md";
const mark = "Environment variables; an empty one counts as absent.\n";

const page = readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const head = page.slice(0, page.indexOf(mark) + mark.length);
const { properties = {} } = z.toJSONSchema(SERVER_SETTINGS, { io: "input", unrepresentable: "any" });
const rows = Object.entries(SERVER_SETTINGS.shape).map(([name, setting]) => {
  const schema = properties[name];
  const fallback = typeof schema === "object" && "default" in schema ? `\`${schema.default}\`` : "";
  return `| \`${name}\` | ${setting.description ?? ""} | ${fallback} |`;
});
await writeOrCheck(file, `${head}\n| setting | effect | default |\n|---|---|---|\n${rows.join("\n")}\n`);
