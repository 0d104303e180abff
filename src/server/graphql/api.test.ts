import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { createTestApp, type TestApp } from "../testing/test-app.ts";
import { globalId, runGlobalId } from "./ids.ts";

const CONFIG = {
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  OutputDataConfig: { S3OutputPath: "s3://bucket/output" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
};

const UPSERT_QUEUE = `mutation Queue($config: JSONString!, $name: String!, $entity: String!) {
  upsertRunQueue(input: { entityName: $entity, projectName: "model-registry", queueName: $name, resourceType: "sagemaker",
    resourceConfig: $config, prioritizationMode: V0, createOnly: true }) { success queueID configSchemaValidationErrors } }`;

const PUSH = `mutation Push($spec: JSONString!, $queue: String!) {
  pushToRunQueueByName(input: { entityName: "admin", projectName: "model-registry", queueName: $queue, runSpec: $spec }) {
    runQueueItemId runSpec runQueueItem { state runId } } }`;

const SPEC = JSON.stringify({
  entity: "admin",
  project: "digits",
  docker: { docker_image: "some/image:tag" },
  resource: null,
  git: {},
  overrides: {},
});

describe.each(databases)("the API on $name", ({ open }) => {
  let database: TestDatabase;
  let app: TestApp;

  beforeEach(async () => {
    database = await open();
    app = await createTestApp(database.database);
  });

  afterEach(async () => {
    await app?.close();
    await database?.close();
  });

  const queue = async (name = "default", entity = "admin", key?: string) =>
    (
      await app.data<{ upsertRunQueue: { queueID: string } }>(
        UPSERT_QUEUE,
        { config: JSON.stringify({ resource_args: { sagemaker: CONFIG } }), name, entity },
        key,
      )
    ).upsertRunQueue.queueID;

  const push = async (name = "default") =>
    (
      await app.data<{
        pushToRunQueueByName: {
          runQueueItemId: string;
          runSpec: string;
          runQueueItem: { state: string; runId: string };
        };
      }>(PUSH, { spec: SPEC, queue: name })
    ).pushToRunQueueByName;

  const agent = async (queueId: string) =>
    (
      await app.data<{ createLaunchAgent: { launchAgentId: string } }>(
        `mutation Agent($queue: ID!) { createLaunchAgent(input: { entityName: "admin", projectName: "model-registry",
           runQueues: [$queue], hostname: "host" }) { launchAgentId } }`,
        { queue: queueId },
      )
    ).createLaunchAgent.launchAgentId;

  test("a request without a valid key is refused, whatever is wrong with it", async () => {
    const body = JSON.stringify({ query: "{ viewer { id } }" });
    const basic = `Basic ${Buffer.from(`api:${"0".repeat(40)}`).toString("base64")}`;
    for (const headers of [{}, { authorization: basic }, { authorization: "Bearer x" }, { authorization: "Basic !" }]) {
      const response = await app.request("/graphql", { method: "POST", body, headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { code: "UNAUTHENTICATED" } });
    }
    const authorization = `Basic ${Buffer.from(`api:${app.adminKey}`).toString("base64")}`;
    const response = await app.request("/graphql", { method: "POST", body, headers: { authorization } });
    expect(response.status).toBe(200);
    expect(app.log.join()).not.toContain(app.adminKey);
  });

  test("what the wandb client asks at its start", async () => {
    const { viewer, serverInfo, entity } = await app.data<Record<string, object>>(`query Start {
      viewer { id entity username email flags teams { edges { node { name } } } }
      serverInfo { features { name isEnabled } }
      entity(name: "admin") { id isTeam organization { coreWeaveOrganizationId } } }`);
    expect(viewer).toMatchObject({ entity: "admin", username: "admin", flags: "{}", teams: { edges: [] } });
    expect(serverInfo).toEqual({ features: [{ name: "slipway-leases", isEnabled: true }] });
    expect(entity).toMatchObject({ isTeam: false, organization: null });
  });

  test("an unknown field is named, and a mistake in a value has its place", async () => {
    const unknown = await app.graphql("{ viewer { shoeSize } }");
    expect(unknown.errors?.[0]?.message).toBe('Cannot query field "shoeSize" on type "User".');
    expect(unknown.errors?.[0]?.extensions).toMatchObject({ code: "GRAPHQL_INVALID", status: 400 });

    const { RoleArn: _, ...config } = CONFIG;
    const broken = { ...config, ResourceConfig: { ...config.ResourceConfig, InstanceTipe: "x" } };
    const refused = await app.graphql(UPSERT_QUEUE, { config: JSON.stringify(broken), name: "q", entity: "admin" });
    const { code, problems = [] } = refused.errors?.[0]?.extensions ?? {};
    expect(code).toBe("RESOURCE_CONFIG_INVALID");
    expect(problems.map(({ path }) => path).join(" ")).toMatch(/RoleArn/);
    expect(problems.find(({ path }) => path.includes("InstanceTipe"))).toBeDefined();
  });

  test("the plain protocol: push by name, pop, acknowledge, fail", async () => {
    const queueId = await queue();
    const pushed = await push();
    expect(pushed.runQueueItem.state).toBe("PENDING");
    expect(JSON.parse(pushed.runSpec)).toMatchObject({ resource: "sagemaker", author: "admin" });
    const launchAgentId = await agent(queueId);

    const { popFromRunQueue: popped } = await app.data<{
      popFromRunQueue: { runQueueItemId: string; runSpec: { run_id: string; resource_args: { sagemaker: object } } };
    }>(
      `mutation Pop($agent: ID) { popFromRunQueue(input: { entityName: "admin", projectName: "model-registry",
         queueName: "default", launchAgentId: $agent }) { runQueueItemId runSpec } }`,
      { agent: launchAgentId },
    );
    expect(popped.runQueueItemId).toBe(pushed.runQueueItemId);
    expect(popped.runSpec.resource_args.sagemaker).toMatchObject(CONFIG);
    expect(popped.runSpec.run_id).toBe(pushed.runQueueItem.runId);

    const ack = `mutation Ack($id: ID!, $run: String!) { ackRunQueueItem(input: { runQueueItemId: $id, runName: $run }) { success } }`;
    const named = { id: pushed.runQueueItemId, run: popped.runSpec.run_id };
    expect(await app.data(ack, named)).toEqual({ ackRunQueueItem: { success: true } });

    const { project } = await app.data<{ project: { runQueue: { runQueueItem: object }; run: object } }>(
      `query Item($id: ID!, $run: String!) {
         project(name: "digits", entityName: "admin") { run(name: $run) { id state stopped projectId user { username } }
           runQueue(name: "default") { runQueueItem(id: $id) { id state associatedRunId } } } }`,
      named,
    );
    expect(project.runQueue.runQueueItem).toMatchObject({ state: "CLAIMED", associatedRunId: named.run });
    expect(project.run).toMatchObject({
      id: runGlobalId({ name: named.run, project: "digits", entity: "admin" }),
      stopped: false,
      user: { username: "admin" },
    });

    const failed = await app.data(
      `mutation Fail($id: ID!) { failRunQueueItem(input: { runQueueItemId: $id, message: "no", stage: "agent" }) { success } }`,
      { id: pushed.runQueueItemId },
    );
    expect(failed).toEqual({ failRunQueueItem: { success: true } });
    const { runQueueItem } = await app.data<{ runQueueItem: object }>(
      `query Shown($id: ID!) { runQueueItem(id: $id) { state error { message stage filePaths } explanation { summary next } } }`,
      { id: named.run },
    );
    expect(runQueueItem).toMatchObject({ state: "FAILED", error: { message: "no", stage: "agent", filePaths: [] } });
  });

  test("our own protocol: a push wakes a waiting lease; reports, logs and the end follow under its token", async () => {
    const launchAgentId = await agent(await queue());
    const LEASE = `mutation Lease($agent: ID!) { leaseRunQueueItems(input: { launchAgentId: $agent, max: 2, waitSeconds: 20 }) {
      stopPolling leases { runQueueItemId attempt fencingToken state phase runId runSpec queueId queueName stopRequested expiresAt logCursors { node } } } }`;
    const waiting = app.data<{
      leaseRunQueueItems: {
        leases: { runQueueItemId: string; attempt: number; fencingToken: number; state: string; queueName: string }[];
      };
    }>(LEASE, { agent: launchAgentId });
    const pushed = await push();
    const { leases } = (await waiting).leaseRunQueueItems;
    expect(leases).toMatchObject([
      { runQueueItemId: pushed.runQueueItemId, state: "LEASED", attempt: 1, queueName: "default" },
    ]);
    const { runQueueItemId, attempt, fencingToken } = leases[0]!;
    const lease = { runQueueItemId, attempt, fencingToken };

    await app.data(
      `mutation Report($lease: LeaseRefInput!) { reportRunQueueItem(input: { lease: $lease, phase: submitting, detail: "{\\"a\\":1}" }) { stopRequested } }`,
      { lease },
    );
    await app.data(
      `mutation Ack($id: ID!, $run: String!, $token: Int!) { ackRunQueueItem(input: { runQueueItemId: $id, runName: $run, attempt: 1, fencingToken: $token }) { success stopRequested } }`,
      { id: runQueueItemId, run: pushed.runQueueItem.runId, token: fencingToken },
    );
    const { appendRunQueueItemLogs } = await app.data<{ appendRunQueueItemLogs: object }>(
      `mutation Logs($lease: LeaseRefInput!) { appendRunQueueItemLogs(input: { lease: $lease, streams: [
         { node: "algo-1", stream: "s", from: "", to: "1", lines: [{ at: 1795571542044, text: "hello" }] }] }) { cursors { node cursor } } }`,
      { lease },
    );
    expect(appendRunQueueItemLogs).toEqual({ cursors: [{ node: "algo-1", cursor: "1" }] });

    const stale = await app.graphql(
      `mutation Stale($lease: LeaseRefInput!) { reportRunQueueItem(input: { lease: $lease, phase: training }) { success } }`,
      { lease: { ...lease, fencingToken: fencingToken + 1 } },
    );
    expect(stale.errors?.[0]?.extensions).toMatchObject({ code: "STALE_LEASE", status: 409 });

    await app.data(
      `mutation Settle($lease: LeaseRefInput!) { settleRunQueueItem(input: { lease: $lease, state: FINISHED, cause: completed,
         training: { name: "job", status: "Completed", finalMetrics: "[1]" } }) { success } }`,
      { lease },
    );
    const { runQueueItem } = await app.data<{ runQueueItem: object }>(
      `query Done($id: ID!) { runQueueItem(id: $id) { state cause phase queue { name } agent { alive queueNames items { id } }
         training { name status finalMetrics } logs { next complete lines { index node text at } } logTail(last: 1) { lines { text } }
         timeline { kind detail } } }`,
      { id: runQueueItemId },
    );
    expect(runQueueItem).toMatchObject({
      state: "FINISHED",
      cause: "completed",
      phase: "settled",
      queue: { name: "default" },
      training: { name: "job", status: "Completed", finalMetrics: [1] },
      logs: {
        next: 0,
        complete: true,
        lines: [{ index: 0, node: "algo-1", text: "hello", at: "2026-11-25T01:52:22.044Z" }],
      },
      logTail: { lines: [{ text: "hello" }] },
    });
  });

  test("a client that has gone gets nothing: what it waited for stays in the queue", async () => {
    const launchAgentId = await agent(await queue());
    const gone = new AbortController();
    const body = JSON.stringify({
      query: `mutation Lease($agent: ID!) { leaseRunQueueItems(input: { launchAgentId: $agent, max: 1, waitSeconds: 25 }) { stopPolling } }`,
      variables: { agent: launchAgentId },
    });
    const waiting = app.request("/graphql", { method: "POST", body, key: app.adminKey, signal: gone.signal });
    gone.abort();
    await waiting;
    const { runQueueItem } = await push();
    expect(runQueueItem.state).toBe("PENDING");
    const { runQueueItem: later } = await app.data<{ runQueueItem: { state: string; position: number } }>(
      `query Later($id: ID!) { runQueueItem(id: $id) { state position } }`,
      { id: runQueueItem.runId },
    );
    expect(later).toEqual({ state: "PENDING", position: 0 });
  });

  test("what another may not see does not exist for them", async () => {
    const queueId = await queue();
    const { runQueueItemId } = await push();
    const key = await app.user("eve");
    const { data, errors } = await app.graphql<Record<string, unknown>>(
      `query Probe($agent: ID!) { entity(name: "admin") { id } project(name: "digits", entityName: "admin") { id }
         model(name: "digits", entityName: "admin") { id } launchAgent(id: $agent) { id } }`,
      { agent: await agent(queueId) },
      key,
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ entity: null, project: null, model: null, launchAgent: null });

    const codes = async (query: string, variables: object) =>
      (await app.graphql(query, variables, key)).errors?.map(({ extensions }) => extensions.code);
    expect(await codes(`query Q($id: ID!) { runQueueItem(id: $id) { id } }`, { id: runQueueItemId })).toEqual([
      "ITEM_NOT_FOUND",
    ]);
    expect(await codes(`{ runQueueItems(entityName: "admin") { edges { node { id } } } }`, {})).toEqual([
      "ENTITY_NOT_FOUND",
    ]);
    expect(await codes(`{ users { edges { node { id } } } }`, {})).toEqual(["FORBIDDEN"]);
    const stop = `mutation S($id: ID!) { stopRunQueueItem(input: { runQueueItemId: $id }) { success } }`;
    expect(await codes(stop, { id: runQueueItemId })).toEqual(["ITEM_NOT_FOUND"]);
    expect(await codes(PUSH, { spec: SPEC, queue: "default" })).toHaveLength(1);
    expect(await codes(stop, { id: globalId("RunQueue", "1") })).toEqual(["REQUEST_INVALID"]);
  });

  test("queues of an entity with their counts, read together", async () => {
    await queue("a");
    await queue("b");
    await push("b");
    const { entity } = await app.data<{ entity: { runQueues: { name: string; counts: { pending: number } }[] } }>(
      `{ entity(name: "admin") { runQueues { name counts { pending } templateVariables { name } config } } }`,
    );
    const counts = Object.fromEntries(entity.runQueues.map(({ name, counts }) => [name, counts.pending]));
    expect(counts).toEqual({ a: 0, b: 1 });
    const second = await app.graphql(UPSERT_QUEUE, { config: JSON.stringify(CONFIG), name: "a", entity: "admin" });
    expect(second.errors?.[0]?.extensions).toMatchObject({ code: "QUEUE_EXISTS", status: 409 });
  });

  test("an operation that asks for too much is refused before it runs", async () => {
    const { errors } = await app.graphql(
      `{ runQueueItems(entityName: "admin", first: 1000) { edges { node { id name state phase runId author priority attempt
         logs(first: 1000) { lines { text } } } } } }`,
    );
    expect(errors?.[0]?.extensions).toMatchObject({ code: "GRAPHQL_TOO_COMPLEX" });
  });
});
