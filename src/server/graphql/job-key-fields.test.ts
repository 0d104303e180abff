import {
  type GraphQLField,
  type GraphQLNamedType,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import type { Principal } from "../services/principal.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";
import { schema } from "./schema.ts";

const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});

describe.each(databases)("the fields that a job's key reaches, on $name", ({ open }) => {
  let store: TestDatabase;
  let app: TestApp;
  let admin: Principal;
  let count = 0;

  beforeAll(async () => {
    store = await open();
    app = await createTestApp(store.database);
    const principal = await app.services.accounts.authenticate(app.adminKey);
    if (!principal) throw new Error("the admin is unknown");
    admin = principal;
    await app.services.accounts.createTeam(admin, { name: "team", members: [] });
  });
  afterAll(async () => {
    await app?.close();
    await store?.close();
  });

  /** The key of a leased job of the team's project `digits`. */
  async function keyOfJob(): Promise<string> {
    const { queues, agents, items } = app.services;
    const target = { entityName: "team", queueName: "own", resourceType: "sagemaker", resourceConfig: CONFIG };
    const queue = await queues.upsert(admin, target);
    const agent = await agents.create(admin, { entityName: "team", queueIds: [queue.id], hostname: "h" });
    const spec = { entity: "team", project: "digits", docker: { docker_image: "a/b:1" } };
    await items.push(admin, { queue: { id: queue.id }, runSpec: JSON.stringify(spec) });
    const { leases } = await items.lease(admin, { launchAgentId: agent.id, max: 1, waitSeconds: 0 });
    return ((leases[0]?.runSpec ?? {}) as { _wandb_api_key?: string })._wandb_api_key ?? "";
  }

  test("whatever fields it asks for, a job's key is told of nothing but its own run", async () => {
    const { queues, runs, items } = app.services;
    const secret = (what: string) => `canary-${what}-${++count}`;
    const name = secret("queue");
    const target = { entityName: "team", queueName: name, resourceType: "sagemaker", resourceConfig: CONFIG };
    const queue = await queues.upsert(admin, target);
    const other = { entityName: "team", projectName: "digits", name: secret("run") };
    await runs.upsert(admin, { ...other, notes: secret("notes"), config: `{"a":{"value":"${secret("config")}"}}` });
    await runs.upsert(admin, { ...other, projectName: secret("project") });
    const spec = { entity: "team", project: "digits", name: secret("item"), docker: { docker_image: "a/b:1" } };
    await items.push(admin, { queue: { id: queue.id }, runSpec: JSON.stringify(spec) });
    const jobKey = await keyOfJob();
    await app.services.accounts.createUser(admin, { name: secret("user"), email: secret("mail") });
    await app.services.accounts.createApiKey(admin, { description: secret("key") });
    const named: Record<string, string> = { bucket: other.name, run: other.name, runQueue: name };
    const roots: Record<string, string> = {
      viewer: "",
      serverInfo: "",
      users: "",
      entity: '(name: "team")',
      project: '(entityName: "team", name: "digits")',
      model: '(entityName: "team", name: "digits")',
      models: '(entityName: "team")',
      launchAgents: '(entityName: "team")',
      runQueueItems: '(entityName: "team")',
    };
    let seenByAdmin = "";
    for (const [root, args] of Object.entries(roots)) {
      const field = schema.getQueryType()?.getFields()[root] as GraphQLField<unknown, unknown>;
      for (const part of partsOf(getNamedType(field.type), named)) {
        const text = `{ ${root}${args} { ${part} } }`;
        seenByAdmin += JSON.stringify(await app.graphql(text));
        const answer = JSON.stringify(await app.graphql(text, {}, jobKey));
        // What it was asked for comes back in an error's text.
        expect(answer.replaceAll(name, "").replaceAll(other.name, ""), text).not.toContain("canary");
        expect(answer, text).not.toContain(app.adminKey);
      }
    }
    for (const what of ["queue", "run", "notes", "config", "project", "item", "user", "mail", "key"])
      expect(seenByAdmin, what).toContain(`canary-${what}-`);
  });
});

/** Every field of a type, each with all that lies below it down to some depth, as selections of their own. */
function partsOf(type: GraphQLNamedType, named: Readonly<Record<string, string>>): readonly string[] {
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields()).flatMap((field) => {
    const text = selectionOf(field, named, 3);
    return text === undefined ? [] : [text];
  });
}

function selectionOf(
  field: GraphQLField<unknown, unknown>,
  named: Readonly<Record<string, string>>,
  depth: number,
): string | undefined {
  const needed = field.args.filter(isRequiredArgument);
  const value = named[field.name];
  const byName = needed.length === 1 && needed[0]?.name === "name" && value !== undefined;
  if (needed.length > 0 && !byName) return undefined;
  const first = field.args.some(({ name }) => name === "first") ? "(first: 5)" : "";
  const args = byName ? `(name: ${JSON.stringify(value)})` : first;
  const type = getNamedType(field.type);
  if (isLeafType(type)) return `${field.name}${args}`;
  if (!isObjectType(type) || depth === 0) return undefined;
  const below = Object.values(type.getFields()).flatMap((one) => selectionOf(one, named, depth - 1) ?? []);
  return below.length === 0 ? undefined : `${field.name}${args} { ${below.join(" ")} }`;
}
