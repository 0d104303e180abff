import { createHash } from "node:crypto";
import { getNamedType, isLeafType } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import type { AgentRecord, ItemRecord, MemberRole, QueueRecord, RunRecord } from "../../store/records.ts";
import { expectRunFiles } from "../../store/run-files.ts";
import type { Lease } from "../services/items.ts";
import type { Principal } from "../services/principal.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";
import { globalId, runGlobalId } from "./ids.ts";
import { schema } from "./schema.ts";

/*
 * Who may do what, over the whole wire: every query, every mutation and every HTTP route has a row here, so that none can be added
 * without a decision. The rights of services are in services/authorize.test.ts.
 */

const people = ["stranger", "viewer", "member", "lead", "admin"] as const;
type Person = (typeof people)[number];

/** Things of the team `team`, made anew for each call. */
interface Things {
  readonly queue: QueueRecord;
  readonly agent: AgentRecord;
  readonly waiting: ItemRecord;
  readonly lease: Lease;
  /** The key of the lease's job, and its run. */
  readonly jobKey: string;
  readonly own: { readonly entityName: string; readonly projectName: string; readonly name: string };
  /** A run that belongs to no item. */
  readonly run: RunRecord;
}

type Arguments = Readonly<Record<string, unknown>>;

interface Row {
  /** Everybody from here on may; `anyone`: a job's key too, since the answer is about the caller or tells nothing. */
  readonly least: Person | "anyone";
  readonly args?: (things: Things) => Arguments | Promise<Arguments>;
  /** What makes it the job's own: with it the job's key may. Without it, the job's key may nothing. */
  readonly own?: (things: Things) => Arguments;
  /** What must be there for an answer to tell anything; `__typename` where absent. */
  readonly select?: string;
}

const SPEC = JSON.stringify({ entity: "team", project: "digits", docker: { docker_image: "a/b:1" } });
const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});
const SWEEP = "method: grid\nparameters: {x: {values: [1, 2]}}";
const DIGEST = `sha256:${createHash("sha256").update("code").digest("hex")}`;
const REFUSED =
  /^(nothing|FORBIDDEN|KEY_SCOPE|(ENTITY|QUEUE|ITEM|AGENT|RUN|KEY|USER|PROJECT|FILE|CODE|ARTIFACT|SWEEP|RUN_FILE)_NOT_FOUND)$/;

describe.each(databases)("what a key may do over the wire, on $name", ({ open }) => {
  let store: TestDatabase;
  let app: TestApp;
  let admin: Principal;
  const keys = new Map<Person, string>();
  let count = 0;
  let wholeArtifact: string;
  let wholeCollection: string;
  const fresh = () => `new-${++count}`;

  beforeAll(async () => {
    store = await open();
    app = await createTestApp(store.database);
    const { accounts } = app.services;
    const principal = await accounts.authenticate(app.adminKey);
    if (!principal) throw new Error("the admin is unknown");
    admin = principal;
    keys.set("admin", app.adminKey);
    for (const name of ["stranger", "viewer", "member", "lead"] as const) keys.set(name, await app.user(name));
    const roles: [Person, MemberRole][] = [
      ["viewer", "VIEWER"],
      ["member", "MEMBER"],
      ["lead", "ADMIN"],
    ];
    await accounts.createTeam(admin, { name: "team", members: roles.map(([username, role]) => ({ username, role })) });
    await app.request(`/code/team/${DIGEST}`, { method: "PUT", body: "code", key: app.adminKey });
    await app.services.runs.upsert(admin, { entityName: "team", projectName: "digits", name: fresh() });
    const whole = await artifact(true);
    wholeArtifact = globalId("Artifact", whole.id);
    wholeCollection = globalId("ArtifactCollection", whole.collectionId);
  });
  afterAll(async () => {
    await app?.close();
    await store?.close();
  });

  async function things(): Promise<Things> {
    const { queues, agents, items, runs } = app.services;
    const target = { entityName: "team", queueName: fresh(), resourceType: "sagemaker", resourceConfig: CONFIG };
    const queue = await queues.upsert(admin, target);
    const agent = await agents.create(admin, { entityName: "team", queueIds: [queue.id], hostname: "h" });
    await items.push(admin, { queue: { id: queue.id }, runSpec: SPEC });
    const { leases } = await items.lease(admin, { launchAgentId: agent.id, max: 1, waitSeconds: 0 });
    const [lease] = leases;
    if (!lease) throw new Error("nothing was leased");
    const waiting = await items.push(admin, { queue: { id: queue.id }, runSpec: SPEC });
    const { run } = await runs.upsert(admin, { entityName: "team", projectName: "digits", name: fresh() });
    const jobKey = (lease.runSpec as { _wandb_api_key?: string })._wandb_api_key ?? "";
    const own = { entityName: "team", projectName: "digits", name: lease.item.runId };
    return { queue, agent, waiting, lease, jobKey, own, run };
  }

  const item = ({ waiting }: Things) => globalId("RunQueueItem", waiting.id);
  const queueId = ({ queue }: Things) => globalId("RunQueue", queue.id);
  const agentId = ({ agent }: Things) => globalId("LaunchAgent", agent.id);
  const leaseOf = ({ lease }: Things) => ({
    runQueueItemId: globalId("RunQueueItem", lease.item.id),
    attempt: lease.item.attempt,
    fencingToken: lease.item.fencingToken,
  });
  const runId = ({ run }: Things) => runGlobalId({ name: run.name, project: "digits", entity: "team" });
  const ownId = ({ own }: Things) => runGlobalId({ name: own.name, project: "digits", entity: "team" });
  const input = (make: (things: Things) => Arguments | Promise<Arguments>) => async (made: Things) => ({
    input: await make(made),
  });
  const at = { entityName: "team", projectName: "digits" };
  const newKeyId = async () => {
    const { record } = await app.services.accounts.createApiKey(admin, { description: "d" });
    return globalId("ApiKey", record.id);
  };
  const newConfigId = async () => {
    const target = { entityName: "team", resource: "sagemaker", config: CONFIG };
    const { id } = await app.services.queues.createDefaultResourceConfig(admin, target);
    return globalId("DefaultResourceConfig", id);
  };
  const newSweep = async () => (await app.services.sweeps.upsert(admin, { ...at, config: SWEEP })).id;
  const newSweepAgent = async () =>
    app.services.sweeps.createAgent(admin, { ...at, host: "h", sweep: await newSweep() });
  const newMember = async () => {
    const name = fresh();
    await app.user(name);
    const { user } = await app.services.teams.invite(admin, { entityName: "team", username: name });
    return globalId("User", user.id);
  };

  const newArtifact = (runName: string | null = null) => ({
    ...at,
    runName,
    typeName: "dataset",
    collectionName: fresh(),
    digest: "d",
    digestAlgorithm: "MANIFEST_MD5",
    description: null,
    metadata: null,
    aliases: [],
    tags: [],
    clientId: null,
    ttlSeconds: null,
    historyStep: null,
  });
  const MD5 = createHash("md5").update("content").digest();
  /** A version that is not committed: a manifest and its only file are sent and it is committed where `whole`. */
  async function artifact(whole = false) {
    const made = await app.services.artifacts.create(admin, newArtifact());
    if (!whole) return made;
    const contents = {
      "a.txt": { digest: MD5.toString("base64"), size: 7 },
    };
    const manifest = JSON.stringify({
      version: 1,
      storagePolicy: "wandb-storage-policy-v1",
      storagePolicyConfig: { storageLayout: "V2" },
      contents,
    });
    const digest = createHash("md5").update(manifest).digest("base64");
    const { createArtifactManifest, createArtifactFiles } = await app.data<{
      createArtifactManifest: { artifactManifest: { file: { uploadUrl: string } } };
      createArtifactFiles: { files: { edges: { node: { uploadUrl: string | null } }[] } };
    }>(
      `mutation Fill($id: ID!, $digest: String!, $md5: String!) {
         createArtifactManifest(input: { artifactID: $id, name: "m", digest: $digest, entityName: "team", projectName: "digits", runName: "r" }) {
           artifactManifest { file { uploadUrl } } }
         createArtifactFiles(input: { artifactFiles: [{ artifactID: $id, name: "a.txt", md5: $md5 }] }) {
           files { edges { node { uploadUrl } } } } }`,
      { id: globalId("Artifact", made.id), digest, md5: MD5.toString("base64") },
    );
    const sent = [
      [createArtifactManifest.artifactManifest.file.uploadUrl, manifest],
      [createArtifactFiles.files.edges[0]?.node.uploadUrl, "content"],
    ] as const;
    for (const [url, body] of sent) {
      if (!url) continue;
      const { pathname, search } = new URL(url);
      const answer = await app.request(pathname + search, { method: "PUT", body });
      if (!answer.ok) throw new Error(`the upload was answered ${answer.status}`);
    }
    return app.services.artifacts.commit(admin, made.id);
  }
  const artifactId = async (whole = false) => globalId("Artifact", (await artifact(whole)).id);
  const collectionId = async () => globalId("ArtifactCollection", (await artifact()).collectionId);
  const portfolio = async () => {
    const { id } = await artifact(true);
    const portfolioName = fresh();
    const member = await app.services.artifacts.link(admin, { artifactId: id, ...at, portfolioName, aliases: [] });
    return {
      artifactID: globalId("Artifact", id),
      artifactPortfolioID: globalId("ArtifactCollection", member.collectionId),
    };
  };
  const aliasOf = async () => {
    const { id, collectionName } = await artifact(true);
    return {
      artifactID: globalId("Artifact", id),
      aliases: [{ ...at, artifactCollectionName: collectionName, alias: "best" }],
    };
  };
  const tagsOf = async () => ({
    ...at,
    artifactCollectionName: (await artifact()).collectionName,
    tags: [{ tagName: "t" }],
  });
  const artifactInput = (runName?: string) => ({
    ...at,
    ...(runName === undefined ? {} : { runName }),
    artifactTypeName: "dataset",
    artifactCollectionName: fresh(),
    digest: "d",
  });

  const queries: Record<string, Row> = {
    artifact: { least: "viewer", args: async () => ({ id: await artifactId() }) },
    // A job's key sees the names of its own project's collections, and of their versions those it may read.
    artifactCollection: {
      least: "viewer",
      args: async () => ({ id: await collectionId() }),
      own: () => ({ id: wholeCollection }),
    },
    // A job's key sees the entity of its run, by its name; access of its fields: below.
    entity: { least: "viewer", args: () => ({ name: "team" }), own: () => ({ name: "team" }) },
    project: {
      least: "viewer",
      args: () => ({ entityName: "team", name: "digits" }),
      own: () => ({ entityName: "team", name: "digits" }),
    },
    model: {
      least: "viewer",
      args: () => ({ entityName: "team", name: "digits" }),
      own: () => ({ entityName: "team", name: "digits" }),
    },
    models: { least: "viewer", args: () => ({ entityName: "team" }), select: "edges { node { id } }" },
    launchAgent: { least: "viewer", args: (t) => ({ id: agentId(t) }) },
    launchAgents: { least: "viewer", args: () => ({ entityName: "team" }) },
    runQueueItem: { least: "viewer", args: (t) => ({ id: item(t) }) },
    runQueueItems: { least: "viewer", args: () => ({ entityName: "team" }), select: "edges { node { id } }" },
    serverInfo: { least: "anyone" },
    users: { least: "admin" },
    viewer: { least: "anyone" },
  };

  const mutations: Record<string, Row> = {
    agentHeartbeat: { least: "member", args: input(async () => ({ id: globalId("Agent", await newSweepAgent()) })) },
    createAgent: { least: "member", args: input(async () => ({ ...at, host: "h", sweep: await newSweep() })) },
    upsertSweep: { least: "member", args: input(() => ({ ...at, config: SWEEP })) },
    addAliases: { least: "member", args: input(aliasOf) },
    commitArtifact: {
      least: "member",
      args: input(async () => ({ artifactID: await artifactId(true) })),
    },
    completeMultipartUploadArtifact: {
      least: "member",
      args: input(async () => ({
        completeMultipartAction: "Complete",
        completedParts: [],
        // Its content is there: nothing is left to be put together.
        artifactID: await artifactId(true),
        storagePath: MD5.toString("hex"),
        uploadID: MD5.toString("hex"),
      })),
    },
    createArtifact: {
      least: "member",
      args: input(() => artifactInput()),
      own: ({ own }) => ({ input: artifactInput(own.name) }),
    },
    createArtifactCollectionTagAssignments: { least: "member", args: input(tagsOf) },
    createArtifactFiles: {
      least: "member",
      args: input(async () => ({
        artifactFiles: [{ artifactID: await artifactId(), name: "a.txt", md5: MD5.toString("base64") }],
      })),
    },
    createArtifactManifest: {
      least: "member",
      args: input(async () => ({ ...at, artifactID: await artifactId(), name: "m", digest: "", runName: "r" })),
    },
    deleteAliases: { least: "member", args: input(aliasOf) },
    deleteArtifact: { least: "member", args: input(async () => ({ artifactID: await artifactId() })) },
    deleteArtifactCollectionTagAssignments: { least: "member", args: input(tagsOf) },
    deleteArtifactPortfolio: {
      least: "member",
      args: input(async () => ({ artifactPortfolioID: (await portfolio()).artifactPortfolioID })),
    },
    deleteArtifactSequence: {
      least: "member",
      args: input(async () => ({ artifactSequenceID: await collectionId() })),
    },
    linkArtifact: {
      least: "member",
      args: input(async () => ({ ...at, artifactID: await artifactId(true), artifactPortfolioName: fresh() })),
    },
    moveArtifactSequence: {
      least: "member",
      args: input(async () => ({ artifactSequenceID: await collectionId(), destinationArtifactTypeName: "model" })),
    },
    unlinkArtifact: { least: "member", args: input(portfolio) },
    updateArtifact: {
      least: "member",
      args: input(async () => ({ artifactID: await artifactId(), description: "d" })),
    },
    updateArtifactManifest: {
      least: "member",
      args: input(async () => {
        const manifest = { artifactId: (await artifact()).id, digest: "", kind: "FULL" };
        const { id } = await app.services.artifacts.createManifest(admin, manifest);
        return { artifactManifestID: globalId("ArtifactManifest", id), digest: "d" };
      }),
    },
    updateArtifactPortfolio: {
      least: "member",
      args: input(async () => ({ artifactPortfolioID: (await portfolio()).artifactPortfolioID, description: "d" })),
    },
    updateArtifactSequence: {
      least: "member",
      args: input(async () => ({ artifactSequenceID: await collectionId(), description: "d" })),
    },
    useArtifact: {
      least: "member",
      args: input(async ({ run }) => ({ ...at, runName: run.name, artifactID: await artifactId(true) })),
    },
    ackRunQueueItem: { least: "member", args: input((t) => ({ ...leaseOf(t), runName: "r" })) },
    appendRunQueueItemLogs: {
      least: "member",
      args: input((t) => ({
        lease: leaseOf(t),
        streams: [{ node: "n", stream: "s", from: "", to: "1", lines: [{ at: 1, text: "x" }] }],
      })),
    },
    createApiKey: { least: "admin", args: input(() => ({ name: "k", username: "admin" })) },
    createDefaultResourceConfig: {
      least: "member",
      args: input(() => ({ entityName: "team", resource: "sagemaker", config: CONFIG })),
    },
    createInvite: {
      least: "lead",
      args: input(async () => {
        const username = fresh();
        await app.user(username);
        return { entityName: "team", username };
      }),
    },
    createLaunchAgent: {
      least: "member",
      args: input((t) => ({ ...at, hostname: "h", runQueues: [queueId(t)] })),
    },
    createRunFiles: {
      least: "member",
      args: input(({ run }) => ({ ...at, runName: run.name, files: ["a.txt"] })),
      own: ({ own }) => ({ input: { ...at, runName: own.name, files: ["a.txt"] } }),
    },
    createRunQueue: {
      least: "lead",
      args: input(async () => ({
        ...at,
        queueName: fresh(),
        access: "PROJECT",
        defaultResourceConfigID: await newConfigId(),
      })),
    },
    createServiceAccount: { least: "lead", args: input(() => ({ entityName: "team", description: fresh() })) },
    createTeam: { least: "admin", args: input(() => ({ name: fresh() })) },
    createUser: { least: "admin", args: input(() => ({ name: fresh() })) },
    deleteApiKey: { least: "admin", args: input(async () => ({ id: await newKeyId() })) },
    deleteFiles: {
      least: "member",
      args: input(async ({ run }) => {
        await expectRunFiles(store.database.kysely, run.id, ["a.txt"], 1);
        return { files: [globalId("RunFile", `${run.id}:a.txt`)] };
      }),
    },
    deleteFromRunQueue: { least: "member", args: input((t) => ({ queueID: queueId(t), runQueueItemId: item(t) })) },
    deleteInvite: { least: "lead", args: input(async () => ({ entityName: "team", id: await newMember() })) },
    deleteRun: { least: "member", args: input((t) => ({ id: runId(t) })) },
    deleteRunQueues: { least: "lead", args: input(async (t) => ({ queueIDs: [queueId(await emptied(t))] })) },
    deleteUser: {
      least: "admin",
      args: input(async () => {
        const name = fresh();
        await app.user(name);
        return { name };
      }),
    },
    failRunQueueItem: {
      least: "member",
      args: input((t) => ({ runQueueItemId: item(t), message: "m", stage: "run" })),
    },
    // One's own: there is nothing of another's to name.
    generateApiKey: { least: "stranger", args: input(() => ({ description: "d" })) },
    leaseRunQueueItems: {
      least: "member",
      args: input((t) => ({ launchAgentId: agentId(t), max: 1, waitSeconds: 0 })),
    },
    notifyScriptableRunAlert: {
      least: "member",
      args: input(({ run }) => ({ ...at, runName: run.name, title: fresh(), text: "t" })),
      own: ({ own }) => ({ input: { ...at, runName: own.name, title: fresh(), text: "t" } }),
    },
    popFromRunQueue: { least: "member", args: input(({ queue }) => ({ ...at, queueName: queue.name })) },
    pushToRunQueue: { least: "member", args: input((t) => ({ queueID: queueId(t), runSpec: SPEC })) },
    pushToRunQueueByName: {
      least: "member",
      args: input(({ queue }) => ({ ...at, queueName: queue.name, runSpec: SPEC })),
    },
    releaseRunQueueItems: {
      least: "member",
      args: input((t) => ({ launchAgentId: agentId(t), leases: [leaseOf(t)] })),
    },
    renewRunQueueItemLeases: {
      least: "member",
      args: input((t) => ({ launchAgentId: agentId(t), leases: [leaseOf(t)] })),
    },
    reportRunQueueItem: { least: "member", args: input((t) => ({ lease: leaseOf(t), message: "m" })) },
    retryRunQueueItem: {
      least: "member",
      args: input(async (t) => {
        await app.services.items.stop(admin, t.waiting.id);
        return { runQueueItemId: item(t) };
      }),
    },
    rewindRun: {
      least: "member",
      args: input(({ run }) => ({ ...at, runName: run.name, metricName: "_step", metricValue: 0 })),
      own: ({ own }) => ({ input: { ...at, runName: own.name, metricName: "_step", metricValue: 0 } }),
    },
    settleRunQueueItem: {
      least: "member",
      args: input((t) => ({ lease: leaseOf(t), state: "FAILED", cause: "build" })),
    },
    stopLaunchAgent: { least: "member", args: input((t) => ({ launchAgentId: agentId(t) })) },
    stopRun: { least: "member", args: input((t) => ({ id: runId(t) })), own: (t) => ({ input: { id: ownId(t) } }) },
    stopRunQueueItem: { least: "member", args: input((t) => ({ runQueueItemId: item(t) })) },
    updateLaunchAgent: {
      least: "member",
      args: input((t) => ({ launchAgentId: agentId(t), agentStatus: "RUNNING" })),
    },
    updateRunQueueItemWarning: {
      least: "member",
      args: input((t) => ({ runQueueItemId: item(t), message: "m", stage: "run" })),
    },
    updateRunState: { least: "member", args: input((t) => ({ id: runId(t), state: "failed" })) },
    upsertBucket: {
      least: "member",
      args: input(() => ({ entityName: "team", modelName: "digits", name: fresh() })),
      own: ({ own }) => ({ input: { entityName: "team", modelName: "digits", name: own.name } }),
    },
    upsertModel: { least: "member", args: input(() => ({ entityName: "team", name: fresh() })) },
    upsertRunQueue: {
      least: "lead",
      args: input(() => ({ ...at, queueName: fresh(), resourceType: "sagemaker", resourceConfig: CONFIG })),
    },
    waitRunQueueItem: {
      least: "member",
      args: input((t) => ({ lease: leaseOf(t), reason: "r", until: "2030-01-01T00:00:00.000Z" })),
    },
  };

  async function emptied(made: Things): Promise<Things> {
    const lease = {
      itemId: made.lease.item.id,
      attempt: made.lease.item.attempt,
      fencingToken: made.lease.item.fencingToken,
    };
    await app.services.items.settle(admin, { lease, state: "FAILED", cause: "build" });
    await app.services.items.stop(admin, made.waiting.id);
    return made;
  }

  async function call(kind: "query" | "mutation", name: string, args: Arguments, key: string, select = "__typename") {
    const root = kind === "query" ? schema.getQueryType() : schema.getMutationType();
    const field = root?.getFields()[name];
    if (!field) throw new Error(`there is no ${kind} ${name}`);
    const given = field.args.filter((one) => args[one.name] !== undefined);
    const declared = given.map((one) => `$${one.name}: ${one.type}`).join(", ");
    const passed = given.map((one) => `${one.name}: $${one.name}`).join(", ");
    const selection = isLeafType(getNamedType(field.type)) ? "" : `{ ${select} }`;
    const text = `${kind} Call${declared && `(${declared})`} { ${name}${passed && `(${passed})`} ${selection} }`;
    const { data, errors } = await app.graphql<Record<string, unknown> | null>(text, args, key);
    return errors?.[0]?.extensions.code ?? (isEmpty(data?.[name]) ? "nothing" : "done");
  }

  const tables = { query: queries, mutation: mutations };
  const cases = (["query", "mutation"] as const).flatMap((kind) =>
    Object.entries(tables[kind]).map(([name, row]) => [kind, name, row] as const),
  );

  test("every query and mutation has its row", () => {
    expect(Object.keys(queries).toSorted()).toEqual(Object.keys(schema.getQueryType()?.getFields() ?? {}).toSorted());
    expect(Object.keys(mutations).toSorted()).toEqual(
      Object.keys(schema.getMutationType()?.getFields() ?? {}).toSorted(),
    );
  });

  test.each(cases)("%s %s", async (kind, name, { least, args = () => ({}), own, select }) => {
    for (const person of people) {
      const made = await things();
      const outcome = await call(kind, name, await args(made), keys.get(person) ?? "", select);
      const allowed = least === "anyone" || people.indexOf(person) >= people.indexOf(least);
      // `nothing`: a mutation whose answer is null may have been let through all the same, as popFromRunQueue of an empty queue.
      if (allowed) expect(outcome, person).toBe("done");
      else expect(outcome, person).toMatch(REFUSED);
    }
    const made = await things();
    const others = await things();
    if (own) expect(await call(kind, name, own(made), made.jobKey, select), "its own").toBe("done");
    if (own && kind === "query") return;
    const outcome = await call(kind, name, await args(others), made.jobKey, select);
    if (least === "anyone") expect(outcome, "job").toBe("done");
    else expect(outcome, "job").toMatch(REFUSED);
  });

  /** Each answers the status for a key. `own`: the same of the job's own run. */
  const routes: Record<
    string,
    {
      least: Person | "anyone" | "nobody asks";
      path?: (t: Things) => string;
      own?: (t: Things) => string;
      init?: RequestInit;
    }
  > = {
    "POST /graphql": {
      least: "anyone",
      path: () => "/graphql",
      init: { method: "POST", body: '{"query":"{ __typename }"}' },
    },
    "GET /events": {
      least: "viewer",
      path: ({ queue }) => `/events?queue=${encodeURIComponent(globalId("RunQueue", queue.id))}`,
    },
    "PUT /code/:entity/:digest": {
      least: "member",
      path: () => `/code/team/${DIGEST}`,
      init: { method: "PUT", body: "code" },
    },
    "GET /code/:entity/:digest": { least: "viewer", path: () => `/code/team/${DIGEST}` },
    "POST /files/:entity/:project/:run/file_stream": {
      least: "member",
      path: ({ run }) => `/files/team/digits/${run.name}/file_stream`,
      own: ({ own }) => `/files/team/digits/${own.name}/file_stream`,
      init: { method: "POST", body: "{}" },
    },
    // failure-files.test.ts shows the file to those who see the item.
    "GET /items/:item/files/:name{.+}": { least: "nobody asks", path: ({ waiting }) => `/items/${waiting.id}/files/a` },
    // The address is the credential.
    "GET /transfers/:path{.+}": { least: "nobody asks", path: ({ run }) => `/transfers/runs/${run.id}/files/a` },
    "PUT /transfers/:path{.+}": {
      least: "nobody asks",
      path: ({ run }) => `/transfers/runs/${run.id}/files/a`,
      init: { method: "PUT", body: "a" },
    },
    // The address is the credential.
    "PUT /artifact-content/:token": {
      least: "nobody asks",
      path: () => "/artifact-content/token",
      init: { method: "PUT", body: "a" },
    },
    "GET /artifactsV2/:region/:entity/:artifact/:md5": {
      least: "viewer",
      path: () => `/artifactsV2/gcp-us/team/${encodeURIComponent(wholeArtifact)}/${MD5.toString("hex")}`,
    },
    "GET /artifactsV2/:region/:entity/:artifact/:md5/:name{.+}": {
      least: "viewer",
      path: () => `/artifactsV2/gcp-us/team/${encodeURIComponent(wholeArtifact)}/${MD5.toString("hex")}/a.txt`,
    },
    "GET /healthz": { least: "anyone", path: () => "/healthz" },
    "GET /readyz": { least: "anyone", path: () => "/readyz" },
  };

  test("every route has its row", () => {
    expect(Object.keys(routes).toSorted()).toEqual([...app.routes].toSorted());
  });

  async function status(path: string, init: RequestInit | undefined, key: string): Promise<number> {
    const gone = new AbortController();
    const response = await app.request(path, { ...init, key, signal: gone.signal });
    // A stream of events would go on for good.
    await response.body?.cancel();
    gone.abort();
    return response.status;
  }

  test.each(Object.entries(routes))("%s", async (_route, { least, path = () => "/", own, init }) => {
    const made = await things();
    for (const person of people) {
      const answered = await status(path(made), init, keys.get(person) ?? "");
      const allowed = least === "anyone" || people.indexOf(person) >= people.indexOf(least as Person);
      if (allowed && least !== "nobody asks") expect(answered, person).toBeLessThan(300);
      else expect([403, 404], person).toContain(answered);
    }
    if (own) expect(await status(own(made), init, made.jobKey), "its own").toBe(200);
    const others = await things();
    const answered = await status(path(others), init, made.jobKey);
    if (least === "anyone") expect(answered, "job").toBe(200);
    else expect([403, 404], "job").toContain(answered);
  });
});

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0 || value.every(isEmpty);
  return typeof value === "object" && Object.keys(value).length > 0 && Object.values(value).every(isEmpty);
}
