import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import type { AgentRecord, ItemRecord, MemberRole, QueueRecord } from "../../store/records.ts";
import { type ControlPlane, createControlPlane, refOf } from "../testing/control-plane.ts";
import { newArtifactNamed } from "../testing/new-artifact.ts";
import type { LeaseRef } from "./items.ts";
import type { Principal } from "./principal.ts";
import type { Services } from "./services.ts";

/** Whoever calls. `run`: with the key of one job of the team. */
const callers = ["outsider", "run", "viewer", "member", "lead", "admin"] as const;
type Caller = (typeof callers)[number];

/** The things of the team that the calls are about, new for each call. */
interface World {
  readonly queue: QueueRecord;
  readonly agent: AgentRecord;
  readonly waiting: ItemRecord;
  readonly lease: LeaseRef;
  readonly held: ItemRecord;
}

/** The least caller of the people whose call is let through, and the call. */
type Row = [
  least: "outsider" | "viewer" | "member" | "lead" | "admin",
  call: (p: Principal, w: World) => Promise<unknown>,
];

const spec = JSON.stringify({ entity: "team", project: "digits", docker: { docker_image: "a/b:1" } });
const digest = `sha256:${createHash("sha256").update("code").digest("hex")}`;
const config = JSON.stringify({
  RoleArn: "arn:aws:iam::123456789012:role/SageMaker",
  OutputDataConfig: { S3OutputPath: "s3://models/out" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
});

describe.each(databases)("who may do what on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  const principals = new Map<Caller, Principal>();
  let names = 0;
  const newName = () => `new-${++names}`;

  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
    const { services, admin } = plane;
    principals.set("admin", admin);
    for (const name of ["outsider", "viewer", "member", "lead"] as const) await plane.user(name);
    const roles: [Caller, MemberRole][] = [
      ["viewer", "VIEWER"],
      ["member", "MEMBER"],
      ["lead", "ADMIN"],
    ];
    const members = roles.map(([username, role]) => ({ username, role }));
    await services.accounts.createTeam(admin, { name: "team", members });
    // Roles are read with the key, so the keys come after the team.
    for (const name of ["outsider", "viewer", "member", "lead"] as const) {
      const { key } = await services.accounts.createApiKey(admin, { description: "test", username: name });
      const principal = await services.accounts.authenticate(key);
      if (principal) principals.set(name, principal);
    }
    const queue = await teamQueue();
    const agent = await services.agents.create(admin, { entityName: "team", queueIds: [queue.id], hostname: "h" });
    await services.items.push(admin, { queue: { id: queue.id }, runSpec: spec });
    const [lease] = await plane.lease(agent);
    const job = (lease?.runSpec ?? {}) as { _wandb_api_key?: string };
    const run = await services.accounts.authenticate(job._wandb_api_key ?? "");
    if (run) principals.set("run", run);
    await services.codeArchives.put(admin, "team", digest, Readable.from(["code"]));
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  const teamQueue = () =>
    plane.services.queues.upsert(plane.admin, {
      entityName: "team",
      queueName: newName(),
      resourceType: "sagemaker",
      resourceConfig: config,
    });

  async function world(): Promise<World> {
    const { services, admin } = plane;
    const queue = await teamQueue();
    const agent = await services.agents.create(admin, { entityName: "team", queueIds: [queue.id], hostname: "h" });
    await services.items.push(admin, { queue: { id: queue.id }, runSpec: spec });
    const [lease] = await plane.lease(agent);
    if (!lease) throw new Error("nothing was leased");
    const waiting = await services.items.push(admin, { queue: { id: queue.id }, runSpec: spec });
    return { queue, agent, waiting, lease: refOf(lease), held: lease.item };
  }

  const newUser = () => plane.user(newName());
  const runOf = (item: ItemRecord) => ({ entityName: "team", projectName: "digits", name: item.runId });
  const plainRun = async () => {
    const ref = { entityName: "team", projectName: "digits", name: newName() };
    await plane.services.runs.upsert(plane.admin, ref);
    return ref;
  };
  const errorOf = (item: ItemRecord) => ({ itemId: item.id, message: "m", stage: "run", filePaths: [] });
  const s = () => plane.services;
  const inTeam = { entityName: "team", projectName: "sweeps" };
  const grid = "method: grid\nparameters: {x: {values: [1, 2]}}";
  const newSweep = async () => (await s().sweeps.upsert(plane.admin, { ...inTeam, config: grid })).id;
  const newSweepAgent = async () =>
    s().sweeps.createAgent(plane.admin, { ...inTeam, host: "h", sweep: await newSweep() });
  const sweepProject = async () =>
    (await s().projects.upsert(plane.admin, { entityName: "team", name: "sweeps" })).project;
  const newArtifact = () => newArtifactNamed(newName());
  const artifact = async () => (await s().artifacts.create(plane.admin, newArtifact())).id;
  const collection = async () => (await s().artifacts.create(plane.admin, newArtifact())).collectionId;
  const manifestOf = (artifactId: string) => ({ artifactId, baseArtifactId: null, digest: "", kind: "FULL" as const });
  const table: {
    [N in Exclude<keyof Services, "sweep" | "alsoSweep" | "startSweeps" | "close">]: Record<string, Row | "open">;
  } = {
    accounts: {
      ensureFirstAdmin: "open",
      authenticate: "open",
      user: "open",
      userById: "open",
      users: ["admin", (p) => s().accounts.users(p)],
      createUser: ["admin", (p) => s().accounts.createUser(p, { name: newName() })],
      deleteUser: ["admin", async (p) => s().accounts.deleteUser(p, (await plane.user(newName())).username)],
      createTeam: ["admin", (p) => s().accounts.createTeam(p, { name: newName(), members: [] })],
      apiKeys: ["admin", (p) => s().accounts.apiKeys(p, plane.admin.userId)],
      createApiKey: ["admin", (p) => s().accounts.createApiKey(p, { description: "d", username: "admin" })],
      deleteApiKey: [
        "admin",
        async (p) =>
          s().accounts.deleteApiKey(p, (await s().accounts.createApiKey(plane.admin, { description: "d" })).record.id),
      ],
      // The training code asks for the entity of its own run.
      entity: "open",
      entityById: "open",
      members: ["viewer", (p, w) => s().accounts.members(p, w.queue.entityId)],
      teams: [
        "admin",
        async (p) =>
          s().accounts.teams(
            p,
            principals.get("viewer")?.userId === p.userId
              ? plane.admin.userId
              : (principals.get("viewer")?.userId ?? ""),
          ),
      ],
    },
    teams: {
      invite: ["lead", async (p) => s().teams.invite(p, { entityName: "team", username: (await newUser()).username })],
      removeMember: [
        "lead",
        async (p) => {
          const { username, userId } = await newUser();
          await s().teams.invite(plane.admin, { entityName: "team", username });
          return s().teams.removeMember(p, { entityName: "team", userId });
        },
      ],
      createServiceAccount: [
        "lead",
        (p) => s().teams.createServiceAccount(p, { entityName: "team", description: newName() }),
      ],
      searchUsers: ["admin", (p) => s().teams.searchUsers(p, null)],
    },
    projects: {
      // The training code asks for the project of its own run.
      get: "open",
      byId: "open",
      page: ["viewer", (p) => s().projects.page(p, { entityName: "team", first: null, after: null })],
      // About a project that the caller has got from the others.
      mayWrite: "open",
      upsert: ["member", (p) => s().projects.upsert(p, { entityName: "team", name: newName() })],
    },
    sweeps: {
      get: ["viewer", async (p) => s().sweeps.get(p, await sweepProject(), await newSweep())],
      page: [
        "viewer",
        async (p) => {
          await newSweep();
          return (await s().sweeps.page(p, await sweepProject(), { first: null, after: null })).nodes;
        },
      ],
      agentById: ["viewer", async (p) => s().sweeps.agentById(p, await newSweepAgent())],
      // About what the caller has got from the others, and nothing for who may not see it.
      agents: "open",
      agent: "open",
      agentRuns: "open",
      count: "open",
      runCount: "open",
      bestLoss: "open",
      upsert: ["member", (p) => s().sweeps.upsert(p, { ...inTeam, config: grid })],
      createAgent: [
        "member",
        async (p) => s().sweeps.createAgent(p, { ...inTeam, host: "h", sweep: await newSweep() }),
      ],
      heartbeat: [
        "member",
        async (p) => {
          const agent = { ...inTeam, host: "h", sweep: await newSweep() };
          return s().sweeps.heartbeat(p, await s().sweeps.createAgent(plane.admin, agent), []);
        },
      ],
    },
    queues: {
      get: ["viewer", (p, w) => s().queues.get(p, "team", w.queue.name)],
      byId: ["viewer", (p, w) => s().queues.byId(p, w.queue.id)],
      list: ["viewer", (p) => s().queues.list(p, "team")],
      counts: ["viewer", async (p, w) => [...(await s().queues.counts(p, [w.queue.id])).keys()]],
      versions: ["viewer", (p, w) => s().queues.versions(p, w.queue.id)],
      createDefaultResourceConfig: [
        "member",
        (p) => s().queues.createDefaultResourceConfig(p, { entityName: "team", resource: "sagemaker", config }),
      ],
      defaultResourceConfig: [
        "viewer",
        async (p) => {
          const input = { entityName: "team", resource: "sagemaker", config };
          const made = await s().queues.createDefaultResourceConfig(plane.admin, input);
          return s().queues.defaultResourceConfig(p, "team", made.id);
        },
      ],
      create: [
        "lead",
        async (p) => {
          const input = { entityName: "team", resource: "sagemaker", config };
          const { id } = await s().queues.createDefaultResourceConfig(plane.admin, input);
          return s().queues.create(p, { entityName: "team", queueName: newName(), defaultResourceConfigId: id });
        },
      ],
      upsert: [
        "lead",
        (p, w) =>
          s().queues.upsert(p, {
            entityName: "team",
            queueName: w.queue.name,
            resourceType: "sagemaker",
            resourceConfig: config,
          }),
      ],
      delete: ["lead", async (p) => s().queues.delete(p, [(await teamQueue()).id])],
    },
    items: {
      get: ["viewer", (p, w) => s().items.get(p, w.waiting.id)],
      byRun: ["viewer", (p, w) => s().items.byRun(p, "team", "digits", w.waiting.runId)],
      list: ["viewer", async (p, w) => (await s().items.list(p, { queueId: w.queue.id })).nodes],
      heldBy: ["viewer", (p, w) => s().items.heldBy(p, w.agent.id)],
      // These are about an item that the caller has got from the others.
      position: "open",
      explanation: "open",
      maskedRunSpec: "open",
      timeline: ["viewer", (p, w) => s().items.timeline(p, w.waiting.id, {})],
      push: ["member", (p, w) => s().items.push(p, { queue: { id: w.queue.id }, runSpec: spec })],
      pop: ["member", (p, w) => s().items.pop(p, { entityName: "team", queueName: w.queue.name })],
      lease: ["member", (p, w) => s().items.lease(p, { launchAgentId: w.agent.id, max: 1, waitSeconds: 0 })],
      ack: ["member", (p, w) => s().items.ack(p, { ...w.lease, runName: "r" })],
      fail: ["member", (p, w) => s().items.fail(p, errorOf(w.waiting))],
      warning: ["member", (p, w) => s().items.warning(p, errorOf(w.waiting))],
      renew: ["member", (p, w) => s().items.renew(p, { launchAgentId: w.agent.id, leases: [w.lease] })],
      report: ["member", (p, w) => s().items.report(p, { lease: w.lease, message: "m" })],
      wait: ["member", (p, w) => s().items.wait(p, { lease: w.lease, reason: "r", until: 0 })],
      settle: ["member", (p, w) => s().items.settle(p, { lease: w.lease, state: "FAILED", cause: "build" })],
      release: ["member", (p, w) => s().items.release(p, { launchAgentId: w.agent.id, leases: [w.lease] })],
      stop: ["member", (p, w) => s().items.stop(p, w.waiting.id)],
      retry: [
        "member",
        async (p, w) => {
          await s()
            .items.stop(plane.admin, w.waiting.id)
            .catch(() => {});
          return s().items.retry(p, w.waiting.id);
        },
      ],
      delete: ["member", (p, w) => s().items.delete(p, w.waiting.id)],
    },
    logs: {
      append: [
        "member",
        (p, { lease }) => {
          const lines = [{ at: 1, text: "x" }];
          return s().logs.append(p, { lease, streams: [{ node: "n", stream: "s", from: "", to: "1", lines }] });
        },
      ],
      read: ["viewer", (p, w) => s().logs.read(p, w.held.id, {})],
      tail: ["viewer", (p, w) => s().logs.tail(p, w.held.id, { last: 1 })],
    },
    agents: {
      create: ["member", (p, w) => s().agents.create(p, { entityName: "team", queueIds: [w.queue.id], hostname: "h" })],
      get: ["viewer", (p, w) => s().agents.get(p, w.agent.id)],
      list: ["viewer", (p) => s().agents.list(p, "team")],
      serving: ["viewer", (p, w) => s().agents.serving(p, w.queue.id)],
      update: ["member", (p, w) => s().agents.update(p, { id: w.agent.id, status: "RUNNING" })],
      stopPolling: ["member", (p, w) => s().agents.stopPolling(p, w.agent.id)],
      alive: "open",
    },
    runs: {
      get: ["viewer", (p, w) => s().runs.get(p, runOf(w.waiting))],
      upsert: ["member", (p, w) => s().runs.upsert(p, runOf(w.waiting))],
      stream: ["member", (p, w) => s().runs.stream(p, runOf(w.waiting), {})],
      stop: ["member", (p, w) => s().runs.stop(p, runOf(w.waiting))],
      remove: ["member", async (p) => s().runs.remove(p, await plainRun())],
      setState: ["member", async (p) => s().runs.setState(p, await plainRun(), "failed")],
      rewind: ["member", async (p) => s().runs.rewind(p, await plainRun(), 0)],
      alert: [
        "member",
        (p, w) => s().runs.alert(p, runOf(w.waiting), { title: newName(), text: "t", severity: "INFO", waitMs: 0 }),
      ],
      // It takes a run that the caller has got already.
      alerts: "open",
    },
    // run-queries.test.ts: nothing for a stranger, and for the key of one job its own run.
    runQueries: { list: "open", count: "open" },
    // They take a run that the caller has got already.
    history: { rows: "open", sampled: "open", tail: "open", firstWith: "open", console: "open" },
    events: {
      latest: "open",
      read: [
        "viewer",
        async (p, w) => {
          const { events } = await s().events.read(p, { after: (await s().events.latest()) - 50 });
          return events.filter((event) => event.queueId === w.queue.id);
        },
      ],
    },
    artifacts: {
      create: ["member", (p) => s().artifacts.create(p, newArtifact())],
      createManifest: ["member", async (p) => s().artifacts.createManifest(p, manifestOf(await artifact()))],
      setManifestDigest: [
        "member",
        async (p) => {
          const manifest = await s().artifacts.createManifest(plane.admin, manifestOf(await artifact()));
          return s().artifacts.setManifestDigest(p, manifest.id, "d");
        },
      ],
      commit: [
        "member",
        async (p) =>
          s()
            .artifacts.commit(p, await artifact())
            .catch((error: { code?: string }) => {
              if (error.code !== "ARTIFACT_INCOMPLETE") throw error;
            }),
      ],
      get: ["viewer", async (p) => s().artifacts.get(p, await artifact())],
      ofClient: [
        "viewer",
        async (p) => {
          await s().artifacts.create(plane.admin, { ...newArtifact(), clientId: "c1" });
          return s().artifacts.ofClient(p, "c1");
        },
      ],
      mustWrite: ["member", async (p) => s().artifacts.mustWrite(p, await artifact())],
      // They read through get.
      resolve: "open",
      readFile: "open",
      use: [
        "member",
        async (p) => {
          const run = await plainRun();
          return s().artifacts.use(p, await artifact(), { ...run, runName: run.name, usedAs: null });
        },
      ],
      update: [
        "member",
        async (p) => s().artifacts.update(p, await artifact(), { tagsToAdd: ["t"], tagsToDelete: [] }),
      ],
      addAliases: ["member", async (p) => s().artifacts.addAliases(p, await artifact(), [])],
      deleteAliases: ["member", async (p) => s().artifacts.deleteAliases(p, await artifact(), [])],
      remove: ["member", async (p) => s().artifacts.remove(p, await artifact(), false)],
      // The version must be readable and the project writable, by the same checks as above.
      link: "open",
      unlink: "open",
    },
    artifactLists: {
      collection: [
        "viewer",
        async (p) => (p.run === null ? s().artifactLists.collection(p, { id: await collection() }) : undefined),
      ],
      createType: [
        "member",
        (p) =>
          s().artifactLists.createType(p, { entityName: "team", projectName: "digits", name: "t", description: null }),
      ],
      updateCollection: [
        "member",
        async (p) => s().artifactLists.updateCollection(p, await collection(), { description: "d" }),
      ],
      removeCollection: ["member", async (p) => s().artifactLists.removeCollection(p, await collection())],
      // They take a project, collection, artifact or run that the caller has got already.
      collections: "open",
      types: "open",
      versions: "open",
      newest: "open",
      member: "open",
      members: "open",
      aliases: "open",
      files: "open",
      ofRun: "open",
      runs: "open",
    },
    codeArchives: {
      bytes: ["viewer", (p) => s().codeArchives.bytes(p, "team")],
      has: ["viewer", (p) => s().codeArchives.has(p, "team", digest)],
      put: ["member", (p) => s().codeArchives.put(p, "team", digest, Readable.from(["code"]))],
      get: [
        "viewer",
        async (p) => {
          const found = await s().codeArchives.get(p, "team", digest);
          found?.body.destroy();
          return found;
        },
      ],
    },
  };

  test("every method of every service is in the table", () => {
    for (const [service, rows] of Object.entries(table))
      expect(Object.keys(rows).toSorted(), service).toEqual(
        Object.keys(plane.services[service as keyof typeof table]).toSorted(),
      );
  });

  const rows = Object.entries(table).flatMap(([service, methods]) =>
    Object.entries(methods).flatMap(([method, row]) =>
      row === "open" ? [] : [[`${service}.${method}`, row] as const],
    ),
  );
  test.each(rows)("%s", async (_name, [least, call]) => {
    let things = await world();
    for (const caller of callers) {
      const principal = principals.get(caller);
      if (!principal) throw new Error(`${caller} is missing`);
      const allowed = caller !== "run" && callers.indexOf(caller) >= callers.indexOf(least);
      const outcome = await call(principal, things).then(
        (value) =>
          value === undefined || (Array.isArray(value) && value.length === 0 && !allowed) ? "nothing" : "done",
        (error: { code?: string }) => error.code ?? String(error),
      );
      // What a call has changed is not the next one's to find.
      if (allowed && least !== "viewer") things = await world();
      if (allowed) expect(["done", "nothing"], caller).toContain(outcome);
      else
        expect(outcome, caller).toMatch(
          /^(nothing|FORBIDDEN|KEY_SCOPE|(ENTITY|QUEUE|ITEM|AGENT|RUN|KEY|USER|ARTIFACT|PROJECT|SWEEP)_NOT_FOUND)$/,
        );
    }
  });
});
