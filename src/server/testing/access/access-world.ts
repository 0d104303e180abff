import { createHash } from "node:crypto";
import type { Database } from "../../../store/database.ts";
import type { AgentRecord, ItemRecord, MemberRole, QueueRecord, RunRecord } from "../../../store/records.ts";
import { globalId, runGlobalId } from "../../graphql/ids.ts";
import type { Lease } from "../../services/items.ts";
import type { Principal } from "../../services/principal.ts";
import { newArtifactNamed } from "../new-artifact.ts";
import { createTestApp, type TestApp } from "../test-app.ts";

/** Who calls, in the order of what they may. */
export const people = ["stranger", "viewer", "member", "lead", "admin"] as const;
export type Person = (typeof people)[number];

/** Things of the team `team`, made anew for each call. */
export interface Things {
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

export type Arguments = Readonly<Record<string, unknown>>;

export interface Row {
  /** Everybody from here on may; `anyone`: a job's key too, since the answer is about the caller or tells nothing. */
  readonly least: Person | "anyone";
  readonly args?: (things: Things) => Arguments | Promise<Arguments>;
  /** What makes it the job's own: with it the job's key may. Without it, the job's key may nothing. */
  readonly own?: (things: Things) => Arguments | Promise<Arguments>;
  /** What must be there for an answer to tell anything; `__typename` where absent. */
  readonly select?: string;
}

export interface AccessTables {
  readonly queries: Readonly<Record<string, Row>>;
  readonly mutations: Readonly<Record<string, Row>>;
}

export const SPEC = JSON.stringify({ entity: "team", project: "digits", docker: { docker_image: "a/b:1" } });
export const CONFIG = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});
export const SWEEP = "method: grid\nparameters: {x: {values: [1, 2]}}";
export const DIGEST = `sha256:${createHash("sha256").update("code").digest("hex")}`;
export const MD5 = createHash("md5").update("content").digest();
export const AT = { entityName: "team", projectName: "digits" };

/** Arguments of an operation that takes all of them as `input`. */
export const input = (make: (things: Things) => Arguments | Promise<Arguments>) => async (made: Things) => ({
  input: await make(made),
});

export type AccessWorld = ReturnType<typeof createAccessWorld>;

/** A server with the team `team` and people of every role in it; open() comes before everything else. */
export function createAccessWorld() {
  let app: TestApp;
  let database: Database;
  let admin: Principal;
  let whole: { readonly artifact: string };
  const keys = new Map<Person, string>();
  let count = 0;
  const fresh = () => `new-${++count}`;

  async function open(on: Database): Promise<void> {
    database = on;
    app = await createTestApp(database);
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
    const { id } = await artifact(true);
    whole = { artifact: globalId("Artifact", id) };
  }

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
  const newKeyId = async () => {
    const { record } = await app.services.accounts.createApiKey(admin, { description: "d" });
    return globalId("ApiKey", record.id);
  };
  const newConfigId = async () => {
    const target = { entityName: "team", resource: "sagemaker", config: CONFIG };
    const { id } = await app.services.queues.createDefaultResourceConfig(admin, target);
    return globalId("DefaultResourceConfig", id);
  };
  const newSweep = async () => (await app.services.sweeps.upsert(admin, { ...AT, config: SWEEP })).id;
  const newSweepAgent = async () =>
    app.services.sweeps.createAgent(admin, { ...AT, host: "h", sweep: await newSweep() });
  const newMember = async () => {
    const name = fresh();
    await app.user(name);
    const { user } = await app.services.teams.invite(admin, { entityName: "team", username: name });
    return globalId("User", user.id);
  };

  const newArtifact = (runName: string | null = null) => newArtifactNamed(fresh(), runName);
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
  /** A version under a client's own id; answers the id. */
  const namedByClient = async (runName: string | null = null) => {
    const clientId = fresh();
    await app.services.artifacts.create(admin, { ...newArtifact(runName), clientId });
    return clientId;
  };
  const artifactId = async (whole = false) => globalId("Artifact", (await artifact(whole)).id);
  const collectionId = async () => globalId("ArtifactCollection", (await artifact()).collectionId);
  const portfolio = async () => {
    const { id } = await artifact(true);
    const portfolioName = fresh();
    const member = await app.services.artifacts.link(admin, { artifactId: id, ...AT, portfolioName, aliases: [] });
    return {
      artifactID: globalId("Artifact", id),
      artifactPortfolioID: globalId("ArtifactCollection", member.collectionId),
    };
  };
  const aliasOf = async () => {
    const { id, collectionName } = await artifact(true);
    return {
      artifactID: globalId("Artifact", id),
      aliases: [{ ...AT, artifactCollectionName: collectionName, alias: "best" }],
    };
  };
  const tagsOf = async () => ({
    ...AT,
    artifactCollectionName: (await artifact()).collectionName,
    tags: [{ tagName: "t" }],
  });
  const artifactInput = (runName?: string) => ({
    ...AT,
    ...(runName === undefined ? {} : { runName }),
    artifactTypeName: "dataset",
    artifactCollectionName: fresh(),
    digest: "d",
  });

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

  return {
    open,
    get app() {
      return app;
    },
    get database() {
      return database;
    },
    get admin() {
      return admin;
    },
    /** A committed version that stays. */
    get whole() {
      return whole;
    },
    keyOf: (person: Person) => keys.get(person) ?? "",
    fresh,
    things,
    emptied,
    item,
    queueId,
    agentId,
    leaseOf,
    runId,
    ownId,
    newKeyId,
    newConfigId,
    newSweep,
    newSweepAgent,
    newMember,
    newArtifact,
    namedByClient,
    artifact,
    artifactId,
    collectionId,
    portfolio,
    aliasOf,
    tagsOf,
    artifactInput,
  };
}
