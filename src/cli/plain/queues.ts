import colors from "picocolors";
import {
  DeleteQueuesDocument,
  PlainQueueConfigDocument,
  PlainQueueDocument,
  PlainQueueListDocument,
  PlainUpsertQueueDocument,
  type UpsertRunQueueInput,
} from "../../client/generated/operations.ts";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import { QUEUE_PROJECT } from "../../core/protocol.ts";
import { printTable } from "../output/table.ts";
import type { Session } from "../session.ts";

/** The queues of an entity, as a server of the wandb client's protocol tells them. */
export async function plainQueues(session: Session) {
  const variables = { entity: await session.entity(), project: QUEUE_PROJECT };
  const { project } = await session.client.request(PlainQueueListDocument, variables);
  return project?.runQueues ?? [];
}

export async function listPlainQueues(session: Session, json: boolean): Promise<void> {
  const queues = await plainQueues(session);
  if (json) return console.log(JSON.stringify(queues));
  if (queues.length === 0) return console.log("No queues yet. Create one: slipway queue create NAME -f queue.yaml");
  printTable(
    ["queue", "access", "created by"],
    queues.map(({ name, access, createdBy }) => [name, access, createdBy ?? "-"]),
  );
}

export async function showPlainQueue(session: Session, name: string, json: boolean): Promise<void> {
  const entity = await session.entity();
  const { id } = await plainQueue(session, name);
  const { project } = await session.client.request(PlainQueueDocument, { entity, project: QUEUE_PROJECT, queue: name });
  const queue = project?.runQueue;
  const configId = queue?.defaultResourceConfigID;
  const answer =
    configId == null ? undefined : await session.client.request(PlainQueueConfigDocument, { entity, id: configId });
  const found = answer?.entity?.defaultResourceConfig;
  const { config = null, resource = null, templateVariables = null } = found ?? {};
  const told = { id, name, entityName: entity, access: queue?.access, prioritizationMode: queue?.prioritizationMode };
  if (json) return console.log(JSON.stringify({ ...told, resource, templateVariables, config }));
  console.log(`${colors.bold(`${entity}/${name}`)}  ${resource ?? "no resource config"}`);
  for (const { name: variable, schema } of templateVariables ?? [])
    console.log(`variable ${variable}  ${colors.dim(schema ?? "")}`);
  if (config !== null) console.log(`\n${typeof config === "string" ? config : JSON.stringify(config, null, 2)}`);
}

/** Creates a queue or replaces its config. A name that is taken, or not there, is found out first: the protocol has no word for it. */
export async function writePlainQueue(
  session: Session,
  input: UpsertRunQueueInput,
  options: { readonly create: boolean; readonly json: boolean },
): Promise<void> {
  const { entityName: entity, queueName: name } = input;
  if (!options.create) await plainQueue(session, name);
  else if ((await plainQueues(session)).some((queue) => queue.name === name))
    throw new SlipwayError("QUEUE_EXISTS", { values: { name, entity } });
  const { upsertRunQueue } = await session.client.request(PlainUpsertQueueDocument, { input });
  const problems = upsertRunQueue?.configSchemaValidationErrors ?? [];
  if (upsertRunQueue?.success !== true) {
    const message = problems.length === 0 ? `queue ${entity}/${name} was not written` : problems.join("; ");
    throw new SlipwayError("SERVER_REFUSED", { values: { message } });
  }
  if (options.json) return console.log(JSON.stringify(await plainQueue(session, name)));
  console.log(
    `${colors.green(options.create ? "created" : "updated")} queue ${entity}/${name} for ${input.resourceType}`,
  );
  for (const problem of problems) console.log(`${colors.yellow("note")} ${problem}`);
}

export async function deletePlainQueue(session: Session, name: string, json: boolean): Promise<void> {
  const { id } = await plainQueue(session, name);
  await session.client.request(DeleteQueuesDocument, { queueIDs: [id] });
  if (json) return console.log(JSON.stringify({ deleted: name, id }));
  console.log(`${colors.green("deleted")} queue ${await session.entity()}/${name}`);
}

/** Throws QUEUE_NOT_FOUND. */
async function plainQueue(session: Session, name: string) {
  const queues = await plainQueues(session);
  const queue = queues.find((one) => one.name === name);
  if (queue !== undefined) return queue;
  throw new SlipwayError("QUEUE_NOT_FOUND", {
    values: { name, entity: await session.entity() },
    ...didYouMean(
      name,
      queues.map((one) => one.name),
    ),
  });
}
