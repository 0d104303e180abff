import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import colors from "picocolors";
import {
  DeleteQueuesDocument,
  QueueDocument,
  QueuesDocument,
  UpsertQueueDocument,
} from "../client/generated/operations.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { nearest } from "../core/nearest.ts";
import { QUEUE_PROJECT } from "../core/protocol.ts";
import { parseQueueFile, type QueueFile } from "../core/queues/queue-file.ts";
import { nameAndValue } from "./name-and-value.ts";
import { printTable } from "./output/table.ts";
import { ago } from "./output/time.ts";
import { deletePlainQueue, listPlainQueues, showPlainQueue, writePlainQueue } from "./plain/queues.ts";
import type { Session } from "./session.ts";

interface WriteOptions {
  readonly file: string;
  readonly resource: string;
  readonly prioritization?: boolean;
  /** `name=value`: defaults of template variables, in place of the file's. */
  readonly setDefault?: readonly string[];
  readonly create: boolean;
  readonly json?: boolean;
}

/** Creates a queue, or replaces its config, from a file. The server validates and keeps the text with its comments. */
export async function writeQueue(session: Session, name: string, options: WriteOptions): Promise<void> {
  const text = await readInput(options.file);
  const file = parseQueueFile(text, options.file, options.resource);
  const resource = file.resource ?? options.resource;
  const templateVariables = withDefaults(file.templateVariables, options.setDefault ?? []);
  const entityName = await session.entity();
  const input = {
    entityName,
    projectName: QUEUE_PROJECT,
    queueName: name,
    resourceType: resource,
    resourceConfig: JSON.stringify({ resource_args: { [resource]: file.resourceConfig } }),
    ...(templateVariables === undefined ? {} : { templateVariables: JSON.stringify(templateVariables) }),
    ...(options.prioritization || file.prioritizationMode === "V0" ? { prioritizationMode: "V0" as const } : {}),
  };
  if (await session.plain())
    return withPlaces(file, writePlainQueue(session, input, { create: options.create, json: options.json === true }));
  if (!options.create) await findQueue(session, name);
  const { upsertRunQueue } = await withPlaces(
    file,
    session.client.request(UpsertQueueDocument, {
      input: { ...input, configText: text, createOnly: options.create },
    }),
  );
  if (options.json) return console.log(JSON.stringify(upsertRunQueue?.runQueue));
  console.log(`${colors.green(options.create ? "created" : "updated")} queue ${entityName}/${name} for ${resource}`);
  for (const warning of upsertRunQueue?.configSchemaValidationErrors ?? [])
    console.log(`${colors.yellow("note")} ${warning}`);
}

export async function listQueues(session: Session, json: boolean): Promise<void> {
  if (await session.plain()) return listPlainQueues(session, json);
  const { entity } = await session.client.request(QueuesDocument, { entityName: await session.entity() });
  const queues = entity?.runQueues ?? [];
  if (json) return console.log(JSON.stringify(queues));
  if (queues.length === 0) return console.log("No queues yet. Create one: slipway queue create NAME -f queue.yaml");
  const now = Date.now();
  printTable(
    ["queue", "resource", "queued", "running", "finished", "failed", "stopped", "oldest wait", "updated"],
    queues.map(({ name, resource, counts, updatedAt }) => [
      name,
      resource,
      counts.pending,
      counts.leased + counts.claimed,
      counts.finished,
      counts.failed,
      counts.stopped,
      ago(counts.oldestPendingAt, now),
      ago(updatedAt, now),
    ]),
  );
}

export async function showQueue(session: Session, name: string, json: boolean): Promise<void> {
  if (await session.plain()) return showPlainQueue(session, name, json);
  const queue = await findQueue(session, name);
  if (json) return console.log(JSON.stringify(queue));
  const { counts } = queue;
  console.log(
    `${colors.bold(`${queue.entityName}/${queue.name}`)}  ${queue.resource}  created by ${queue.createdBy ?? "-"}`,
  );
  console.log(
    `queued ${counts.pending}, running ${counts.leased + counts.claimed}, finished ${counts.finished}, failed ${counts.failed}, stopped ${counts.stopped}`,
  );
  const alive = queue.agents.filter((agent) => agent.alive);
  console.log(
    alive.length === 0
      ? colors.yellow("no agent is alive: items will wait")
      : `agents ${alive.map((agent) => agent.name).join(", ")}`,
  );
  for (const { name: variable, schema } of queue.templateVariables)
    console.log(`variable ${variable}  ${colors.dim(schema ?? "")}`);
  console.log(`\n${queue.configText?.trimEnd() ?? JSON.stringify(queue.config, null, 2)}`);
}

export async function deleteQueue(session: Session, name: string, json: boolean): Promise<void> {
  if (await session.plain()) return deletePlainQueue(session, name, json);
  const queue = await findQueue(session, name);
  await session.client.request(DeleteQueuesDocument, { queueIDs: [queue.id] });
  if (json) return console.log(JSON.stringify({ deleted: queue.name, id: queue.id }));
  console.log(`${colors.green("deleted")} queue ${queue.entityName}/${queue.name}`);
}

/** Puts `name=value` defaults into the variables' schemas; a value takes the type that its schema names. */
function withDefaults(variables: JsonObject | undefined, settings: readonly string[]): JsonObject | undefined {
  if (settings.length === 0) return variables;
  const changed: Record<string, JsonValue> = { ...variables };
  for (const setting of settings) {
    const { name, value } = nameAndValue(setting, "--set-default");
    const before = changed[name];
    if (!isJsonObject(before)) {
      const near = nearest(name, Object.keys(changed));
      const problem = `--set-default: the file declares no template variable ${name}${near ? `; did you mean ${near}?` : ""}`;
      throw new SlipwayError("USAGE", { values: { problem }, where: "--set-default" });
    }
    const schema = isJsonObject(before.schema) ? before.schema : before;
    const withDefault = { ...schema, default: typedValue(value, String(schema.type), name) };
    changed[name] = isJsonObject(before.schema) ? { ...before, schema: withDefault } : withDefault;
  }
  return changed;
}

function typedValue(value: string, type: string, name: string): JsonValue {
  if (!["integer", "number", "boolean"].includes(type)) return value;
  const typed = type === "boolean" ? { true: true, false: false }[value] : Number(value);
  if (typed !== undefined && !Number.isNaN(typed)) return typed;
  const problem = `--set-default: ${name} is of type ${type}, which "${value}" is not`;
  throw new SlipwayError("USAGE", { values: { problem }, where: "--set-default" });
}

/** The server names the JSON paths of what is wrong; the person who wrote a file wants lines. */
async function withPlaces<T>(file: QueueFile, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.problems.length === 0) throw error;
    const problems = error.problems.map((problem) => ({ ...problem, ...file.locate(problem.path) }));
    throw Object.assign(error, { problems });
  }
}

/** A queue of the session's entity, with its config. @throws QUEUE_NOT_FOUND */
export async function findQueue(session: Session, name: string) {
  const entityName = await session.entity();
  const { entity } = await session.client.request(QueueDocument, { entityName });
  const queues = entity?.runQueues ?? [];
  const queue = queues.find((one) => one.name === name);
  if (queue !== undefined) return queue;
  const near = nearest(
    name,
    queues.map((one) => one.name),
  );
  throw new SlipwayError("QUEUE_NOT_FOUND", {
    values: { name, entity: entityName },
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"? \`slipway queue list\` shows them all.` }),
  });
}

/** The text of a file, or of standard input for `-`. @throws FILE_NOT_FOUND, which names the option */
export async function readInput(file: string, where = "--file"): Promise<string> {
  if (file === "-") return readAll(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SlipwayError("FILE_NOT_FOUND", { values: { file }, where });
  }
}
