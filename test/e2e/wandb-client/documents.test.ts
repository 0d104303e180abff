import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema } from "graphql";
import { beforeAll, expect, test } from "vitest";
import { pythonPeers, WANDB_RELEASES } from "../../support/python-peers.ts";
import { type ClientDocument, clientDocuments } from "../../support/wandb-documents.ts";
import { UNSUPPORTED } from "../../support/wandb-unsupported.ts";

/** Every GraphQL operation in the text of both releases: one that the schema does not know must have a reason. */

const root = join(import.meta.dirname, "../../..");
const schema = buildSchema(readFileSync(join(root, "schema.graphql"), "utf8"));
const found = new Map<string, readonly ClientDocument[]>();

beforeAll(async () => {
  for (const release of WANDB_RELEASES) {
    await pythonPeers(release);
    found.set(release, await clientDocuments(release, schema));
  }
});

const reasonOf = (name: string) => UNSUPPORTED.find(({ names }) => names.includes(name))?.reason;

test.each(WANDB_RELEASES)("wandb %s: whatever the schema does not know is known to be unsupported", (release) => {
  const documents = found.get(release) ?? [];
  // Both halves of the client were read.
  expect(documents.filter(({ file }) => file === "wandb-core").length).toBeGreaterThan(15);
  expect(documents.filter(({ file }) => file.endsWith(".py")).length).toBeGreaterThan(60);
  const unknown = documents.filter(({ name, problems }) => problems?.length && reasonOf(name) === undefined);
  expect(unknown.map(({ name, file, problems }) => `${name} (${file}): ${problems?.join("; ")}`)).toEqual([]);
});

test("what the schema has come to know is gone from the list of the unsupported", () => {
  const all = new Set([...found.values()].flat().flatMap(({ name, problems }) => (problems?.length ? [name] : [])));
  expect(UNSUPPORTED.flatMap(({ names }) => names).filter((name) => !all.has(name))).toEqual([]);
});

test("docs/reference/wandb-operations.md lists them (vitest -u writes it)", async () => {
  await expect(page()).toMatchFileSnapshot(join(root, "docs/reference/wandb-operations.md"));
});

function page(): string {
  const lines = [
    "# Operations of the wandb client",
    "",
    "Every GraphQL operation in the text of the releases that the tests run, in their Python files and in `wandb-core`, held against",
    "[`schema.graphql`](../../schema.graphql). An unknown field is an error that names it, never a silent null.",
    "[What people do with the client](../guide/wandb-client.md) is tested by running it.",
    "",
    "| operation | releases | known |",
    "|---|---|---|",
  ];
  const names = [...new Set([...found.values()].flat().map(({ name }) => name))].sort();
  for (const name of names) {
    const of = [...found].flatMap(([release, documents]) => {
      const named = documents.filter((document) => document.name === name);
      return named.length === 0 ? [] : [{ release, named }];
    });
    const all = of.flatMap(({ named }) => named);
    const bad = all.some(({ problems }) => problems !== null && problems.length > 0);
    const made = all.every(({ problems }) => problems === null);
    const known = bad ? `no: ${reasonOf(name)}` : made ? "put together at run time" : "yes";
    lines.push(`| ${name} | ${of.map(({ release }) => release).join(", ")} | ${known} |`);
  }
  return `${lines.join("\n")}\n`;
}
