import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane, refOf } from "../testing/control-plane.ts";
import { DEFAULT_LIMITS } from "./context.ts";
import type { Lease } from "./items.ts";

const jobKeyOf = (lease: Lease | undefined) =>
  ((lease?.runSpec ?? {}) as { _wandb_api_key?: string })._wandb_api_key ?? "";

describe.each(databases)("keys on $name", ({ open }) => {
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

  const secret = (letter: string) => letter.repeat(40);

  test.each([
    ["plain", secret("a")],
    ["with underscores", `${secret("a")}_b`],
    ["with a prefix", `local-${secret("b")}`],
    ["with an odd prefix", `acme.corp:eu!-${secret("c")}`],
    ["with an empty prefix", `-${secret("d")}`],
    ["with dashes in the secret", `local-${secret("e")}-f`],
    ["a token", `eyJhbGciOiJIUzI1NiJ9.${secret("f")}.${secret("g")}`],
  ])("a key that the wandb client takes: %s", async (_what, apiKey) => {
    const { accounts } = plane.services;
    const { record } = await accounts.createApiKey(plane.admin, { description: "brought along", apiKey });
    expect(await accounts.authenticate(apiKey)).toMatchObject({ username: "admin", apiKeyId: record.id });
    await expect(accounts.createApiKey(plane.admin, { description: "again", apiKey })).rejects.toMatchObject({
      code: "API_KEY_TAKEN",
    });
  });

  test.each([
    ["too short", secret("a").slice(1)],
    ["too short behind its prefix", `local-${secret("a").slice(1)}`],
    ["with a space", `${secret("a")} b`],
    ["with a dot", `${secret("a")}.b`],
    ["a token that could be guessed", "a.b.c"],
    ["empty", ""],
    ["with a line's end", `${secret("a")}\n`],
  ])("one that it does not: %s", async (_what, apiKey) => {
    const { accounts } = plane.services;
    await expect(accounts.createApiKey(plane.admin, { description: "wrong", apiKey })).rejects.toMatchObject({
      code: "API_KEY_INVALID",
    });
  });

  test("a job's key writes its run until the item has settled and a while longer; it can't bring the run back", async () => {
    const { services, admin, clock } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    await plane.push(queue);
    const [lease] = await plane.lease(agent);
    const key = jobKeyOf(lease);
    const ref = { entityName: "admin", projectName: "digits", name: lease?.item.runId ?? "" };
    const job = async () => {
      const principal = await services.accounts.authenticate(key);
      if (!principal) throw new Error("the key is not good any more");
      return principal;
    };
    await services.items.ack(admin, { ...refOf(lease), runName: ref.name });
    await services.runs.upsert(await job(), ref);
    expect(await services.runs.get(admin, ref)).toMatchObject({ state: "running" });
    await services.items.settle(admin, { lease: refOf(lease), state: "FAILED", cause: "code_failed" });

    await services.runs.upsert(await job(), { ...ref, notes: "said last" });
    await services.runs.stream(await job(), ref, {});
    expect(await services.runs.get(admin, ref)).toMatchObject({ state: "failed", notes: "said last" });
    clock.advance(DEFAULT_LIMITS.jobKeyGraceMs - 1);
    await services.sweep();
    await services.runs.stream(await job(), ref, {});
    clock.advance(1);
    expect(await services.accounts.authenticate(key)).toBeUndefined();
    await services.sweep();
    const left = await store.database.kysely
      .selectFrom("apiKeys")
      .select("id")
      .where("itemId", "=", lease?.item.id ?? "")
      .execute();
    expect(left).toEqual([]);
  });

  test("a job's key dies with the attempt, with its item and with the user whose job it is", async () => {
    const { services, admin } = plane;
    const queue = await plane.queue();
    const agent = await plane.agent([queue]);
    const leased = async () => {
      await plane.push(queue);
      const [lease] = await plane.lease(agent);
      return { lease, key: jobKeyOf(lease) };
    };
    const retried = await leased();
    await services.items.ack(admin, { ...refOf(retried.lease), runName: retried.lease?.item.runId ?? "" });
    await services.items.settle(admin, {
      lease: refOf(retried.lease),
      state: "FAILED",
      cause: "capacity",
      retry: true,
    });
    expect(await services.accounts.authenticate(retried.key)).toBeUndefined();
    const [second] = await plane.lease(agent);
    await services.items.settle(admin, { lease: refOf(second), state: "FAILED", cause: "build" });
    const forgotten = await leased();
    await services.items.settle(admin, { lease: refOf(forgotten.lease), state: "FAILED", cause: "build" });
    expect(await services.accounts.authenticate(forgotten.key)).toBeDefined();
    await services.items.delete(admin, forgotten.lease?.item.id ?? "");
    expect(await services.accounts.authenticate(forgotten.key)).toBeUndefined();
  });
});
