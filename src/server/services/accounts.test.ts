import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

describe.each(databases)("accounts on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  const push = (principal: ControlPlane["admin"], entity: string, queueName: string) =>
    plane.services.items.push(principal, {
      queue: { entityName: entity, name: queueName },
      runSpec: JSON.stringify({ entity, project: "p", docker: { docker_image: "image:1" } }),
    });

  test("the first admin is made once", async () => {
    expect(await plane.services.accounts.ensureFirstAdmin({ name: "second" })).toBeNull();
    expect(plane.admin).toMatchObject({ username: "admin", entityName: "admin", admin: true, run: null });
  });

  test("keys are kept as hashes, told once, and gone when deleted", async () => {
    const { accounts } = plane.services;
    const { record, key } = await accounts.createApiKey(plane.admin, { description: "laptop" });
    expect(record.name).toBe(`${key.slice(0, 14)}…`);
    const rows = await store.database.kysely.selectFrom("apiKeys").selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(key);
    expect(JSON.stringify(rows)).not.toContain(plane.adminKey);
    expect(await accounts.authenticate(key)).toMatchObject({ username: "admin", apiKeyId: record.id });
    await accounts.deleteApiKey(plane.admin, record.id);
    expect(await accounts.authenticate(key)).toBeUndefined();
    await expect(accounts.deleteApiKey(plane.admin, record.id)).rejects.toMatchObject({ code: "KEY_NOT_FOUND" });
  });

  test("a key of one's own choice is taken if the wandb client would take it and nobody has it", async () => {
    const { accounts } = plane.services;
    const apiKey = "0123456789abcdef0123456789abcdef01234567";
    await accounts.createUser(plane.admin, { name: "own-key", apiKey });
    expect(await accounts.authenticate(apiKey)).toMatchObject({ username: "own-key", admin: false });
    const make = (name: string, key: string) => accounts.createUser(plane.admin, { name, apiKey: key });
    await expect(make("short", "tooshort")).rejects.toMatchObject({ code: "API_KEY_INVALID" });
    await expect(make("same", apiKey)).rejects.toMatchObject({ code: "API_KEY_TAKEN" });
    await expect(make("own-key", `${apiKey}x`)).rejects.toMatchObject({ code: "NAME_TAKEN" });
    await expect(make("a/b", `${apiKey}y`)).rejects.toMatchObject({ code: "NAME_INVALID" });
  });

  test("of those who take a name at once one gets it, the others are told", async () => {
    const make = () => plane.services.accounts.createUser(plane.admin, { name: "wanted" });
    const made = await Promise.allSettled([make(), make(), make(), make()]);
    expect(made.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of made)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "NAME_TAKEN" });
  });

  test("a deleted user's keys stop working; the last admin stays", async () => {
    const { accounts } = plane.services;
    const { apiKey } = await accounts.createUser(plane.admin, { name: "leaver" });
    await accounts.deleteUser(plane.admin, "leaver");
    expect(await accounts.authenticate(apiKey)).toBeUndefined();
    await expect(accounts.deleteUser(plane.admin, "admin")).rejects.toMatchObject({ code: "LAST_ADMIN" });
    await expect(accounts.deleteUser(plane.admin, "leavr")).rejects.toMatchObject({ code: "USER_NOT_FOUND" });
  });

  test("roles: a viewer sees, a member pushes, an admin makes queues, an outsider has none of it", async () => {
    const { accounts, queues, items } = plane.services;
    const names = ["viewer", "member", "chief", "outsider"] as const;
    for (const name of names) await accounts.createUser(plane.admin, { name });
    await accounts.createTeam(plane.admin, {
      name: "team",
      members: [
        { username: "viewer", role: "VIEWER" },
        { username: "member", role: "MEMBER" },
        { username: "chief", role: "ADMIN" },
      ],
    });
    const login = async (username: string) => {
      const { key } = await accounts.createApiKey(plane.admin, { description: "test", username });
      const principal = await accounts.authenticate(key);
      if (!principal) throw new Error("the key is unknown");
      return principal;
    };
    const [viewer, member, chief, outsider] = [
      await login("viewer"),
      await login("member"),
      await login("chief"),
      await login("outsider"),
    ];
    const own = await plane.queue();
    const upsert = (principal: ControlPlane["admin"]) =>
      queues.upsert(principal, {
        entityName: "team",
        queueName: "shared",
        resourceType: own.resource,
        resourceConfig: JSON.stringify(own.config),
      });
    await expect(upsert(member)).rejects.toMatchObject({ code: "FORBIDDEN" });
    const queue = await upsert(chief);
    await expect(push(viewer, "team", "shared")).rejects.toMatchObject({ code: "FORBIDDEN" });
    const item = await push(member, "team", "shared");
    expect(item).toMatchObject({ author: "member", entityName: "team", queueId: queue.id });
    expect(await items.get(viewer, item.id)).toMatchObject({ id: item.id });
    await expect(items.stop(viewer, item.id)).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(await items.get(outsider, item.id)).toBeUndefined();
    expect(await accounts.entity(outsider, "team")).toBeUndefined();
    expect((await accounts.members(viewer, queue.entityId)).map((m) => `${m.username}:${m.role}`)).toEqual([
      "chief:ADMIN",
      "member:MEMBER",
      "viewer:VIEWER",
    ]);
    for (const refused of [accounts.users(chief), accounts.createUser(chief, { name: "x" })])
      await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(await items.stop(chief, item.id)).toMatchObject({ state: "STOPPED" });
  });

  test("two admins who delete each other at once: one stays", async () => {
    const { accounts } = plane.services;
    const other = (await accounts.createUser(plane.admin, { name: "other-admin", admin: true })).user;
    const outcomes = await Promise.allSettled([
      accounts.deleteUser(plane.admin, other.name),
      accounts.deleteUser(plane.admin, "admin"),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const left = await accounts.users(plane.admin);
    expect(left.filter((user) => user.admin)).toHaveLength(1);
  });
});
