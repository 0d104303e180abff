import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type DocumentNode, type GraphQLSchema, Kind, parse, validate } from "graphql";
import { pythonPeers, type WandbRelease } from "./python-peers.ts";

/** A GraphQL operation in the text of an installed client. */
export interface ClientDocument {
  /** As in `query NAME`. */
  readonly name: string;
  /** The file it stands in, from the package's folder; `wandb-core` for the program beside it. */
  readonly file: string;
  /** Why it is no document of the schema; empty if it is one. Null: its text is put together at run time. */
  readonly problems: readonly string[] | null;
}

const run = promisify(execFile);

/** Prints [file, text] of every string that begins as a GraphQL operation or fragment does; parts of f-strings too. */
const FIND = `
import ast, json, pathlib, re, sys
root = pathlib.Path(sys.argv[1])
begins = re.compile(r"\\s*(#graphql\\s+)?(query|mutation|fragment)\\s+\\w+[^{]*\\{|\\s*query\\s*\\{")
found = []
for path in sorted(root.rglob("*.py")):
    if "vendor" in path.parts:
        continue
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and begins.match(node.value):
            found.append([str(path.relative_to(root)), node.value])
print(json.dumps(found))
`;

/** Every operation that an installed release may send: those in its Python files and in wandb-core, checked against the schema. */
export async function clientDocuments(
  release: WandbRelease,
  schema: GraphQLSchema,
): Promise<readonly ClientDocument[]> {
  const { python } = await pythonPeers(release);
  const at = await run(python, ["-c", "import importlib.util as u; print(u.find_spec('wandb').origin)"]);
  const root = dirname(at.stdout.trim());
  const texts = JSON.parse((await run(python, ["-c", FIND, root], { maxBuffer: 1 << 26 })).stdout) as [
    string,
    string,
  ][];
  const core = textsOfCore(await readFile(join(root, "bin", "wandb-core"), "latin1"));
  texts.push(...core.map((text): [string, string] => ["wandb-core", text]));
  const fragments = fragmentsOf(texts.map(([, text]) => text));
  const documents = new Map<string, ClientDocument>();
  for (const [file, text] of texts) {
    const [, name] = /(?:query|mutation)\s+(\w+)/.exec(text) ?? [];
    if (/^\s*fragment/.test(text)) continue;
    const problems = problemsOf(text, fragments, schema);
    const document = { name: name ?? "(no name)", file, problems };
    const key = `${file} ${document.name} ${problems?.join()}`;
    documents.set(key, document);
  }
  return [...documents.values()].sort((a, b) => (`${a.name} ${a.file}` < `${b.name} ${b.file}` ? -1 : 1));
}

/** A Go program keeps its string constants one after the other: an operation ends where its braces do, and fragments follow it. */
function textsOfCore(binary: string): readonly string[] {
  const texts: string[] = [];
  for (const { index } of binary.matchAll(/(?:query|mutation) [A-Z]\w* ?[({]/g)) {
    let end = closing(binary, index);
    for (let more = end; more !== undefined; ) {
      end = more;
      more = /^\s*fragment \w+ on \w+ \{/.test(binary.slice(end, end + 200)) ? closing(binary, end) : undefined;
    }
    if (end !== undefined) texts.push(binary.slice(index, end));
  }
  return texts;
}

/** Behind the brace that closes the first one from `from` on (braces of arguments counted too); undefined if none does nearby. */
function closing(text: string, from: number): number | undefined {
  let depth = 0;
  let inArguments = 0;
  for (let at = from; at < Math.min(text.length, from + 50_000); at++) {
    const letter = text[at];
    if (letter === "(") inArguments++;
    if (letter === ")") inArguments--;
    if (inArguments > 0) continue;
    if (letter === "{") depth++;
    if (letter === "}" && --depth === 0) return at + 1;
  }
  return undefined;
}

function parsed(text: string): DocumentNode | undefined {
  try {
    return parse(text, { noLocation: true });
  } catch {
    return undefined;
  }
}

/** A document may spread fragments that stand elsewhere and are put beside it when it is sent. */
function fragmentsOf(texts: readonly string[]): ReadonlyMap<string, DocumentNode["definitions"][number]> {
  const fragments = new Map<string, DocumentNode["definitions"][number]>();
  for (const text of texts)
    for (const definition of parsed(text)?.definitions ?? [])
      if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  return fragments;
}

function problemsOf(
  text: string,
  fragments: ReturnType<typeof fragmentsOf>,
  schema: GraphQLSchema,
): readonly string[] | null {
  const document = parsed(text);
  // A name such as _CLI_QUERY_ holds a place for what the client puts there.
  if (!document || /\b_[A-Z]\w*_\b/i.test(text.replaceAll(/\b__\w+/g, ""))) return null;
  const definitions = [...document.definitions];
  const known = new Set(definitions.flatMap((one) => ("name" in one && one.name ? [one.name.value] : [])));
  for (let at = 0; at < definitions.length; at++) {
    for (const [, name = ""] of JSON.stringify(definitions[at]).matchAll(
      /"kind":"FragmentSpread","name":\{"kind":"Name","value":"(\w+)"/g,
    )) {
      const fragment = fragments.get(name);
      if (fragment && !known.has(name)) definitions.push(fragment);
      known.add(name);
    }
  }
  return validate(schema, { ...document, definitions }).map((error) => error.message);
}
