import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

describe.each(databases)("teams and users on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;

  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database);
    const { accounts } = plane.services;
    await accounts.createUser(plane.admin, { name: "ann", email: "Ann.Lee@example.com" });
    await accounts.createUser(plane.admin, { name: "annika", email: null });
    await accounts.createTeam(plane.admin, { name: "team", members: [{ username: "admin", role: "ADMIN" }] });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });

  const names = async () => {
    const team = await plane.services.accounts.entity(plane.admin, "team");
    const members = await plane.services.accounts.members(plane.admin, team?.id ?? "");
    return members.map(({ username, role, service }) => [username, role, service]);
  };

  test("members come and go, in the order of their coming", async () => {
    const { teams } = plane.services;
    plane.clock.advance(1);
    const { user } = await teams.invite(plane.admin, { entityName: "team", email: "ann.lee@EXAMPLE.com", admin: true });
    expect(user.name).toBe("ann");
    await expect(teams.invite(plane.admin, { entityName: "team", username: "ann" })).rejects.toMatchObject({
      code: "MEMBER_EXISTS",
      message: "ann is in the team team already",
    });
    await expect(teams.invite(plane.admin, { entityName: "team", username: "anika" })).rejects.toMatchObject({
      code: "USER_NOT_FOUND",
      hint: "Did you mean annika?",
    });
    await expect(teams.invite(plane.admin, { entityName: "ann", username: "annika" })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      where: "entityName",
    });
    expect(await names()).toEqual([
      ["admin", "ADMIN", false],
      ["ann", "ADMIN", false],
    ]);
    expect(await teams.removeMember(plane.admin, { entityName: "team", userId: user.id })).toBe(true);
    expect(await teams.removeMember(plane.admin, { entityName: "team", userId: user.id })).toBe(false);
    expect(await names()).toEqual([["admin", "ADMIN", false]]);
  });

  test("accounts that no person is get a name of their own, and a key from an admin", async () => {
    const { teams, accounts } = plane.services;
    plane.clock.advance(1);
    const made = [];
    for (let n = 0; n < 2; n++)
      made.push(
        (await teams.createServiceAccount(plane.admin, { entityName: "team", description: "CI: nightly!" })).name,
      );
    made.push((await teams.createServiceAccount(plane.admin, { entityName: "team", description: "…" })).name);
    expect(made).toEqual(["team-ci-nightly", "team-ci-nightly-2", "team-service"]);
    expect((await names()).slice(1)).toContainEqual(["team-ci-nightly", "MEMBER", true]);
    const { key } = await accounts.createApiKey(plane.admin, { description: "d", username: "team-ci-nightly" });
    const principal = await accounts.authenticate(key);
    expect([...(principal?.roles.values() ?? [])].sort()).toEqual(["ADMIN", "MEMBER"]);
  });

  test("users are found by parts of their name or address, exact ones first", async () => {
    const found = async (text: string | null) =>
      (await plane.services.teams.searchUsers(plane.admin, text)).map((user) => user.name);
    expect(await found("ann")).toEqual(["ann", "annika"]);
    expect(await found("LEE@")).toEqual(["ann"]);
    expect(await found("nnika")).toEqual(["annika"]);
    expect(await found("%")).toEqual([]);
    expect(await found("a_n")).toEqual([]);
    expect(await found(null)).toEqual(expect.arrayContaining(["admin", "ann", "annika"]));
  });

  test("projects page by page, with who made them", async () => {
    const { projects } = plane.services;
    for (const name of ["c", "a", "b"]) await projects.upsert(plane.admin, { entityName: "team", name });
    const first = await projects.page(plane.admin, { entityName: "team", first: 2, after: null });
    expect(first.nodes.map(({ name, userId }) => [name, userId])).toEqual([
      ["a", plane.admin.userId],
      ["b", plane.admin.userId],
    ]);
    expect(first.hasNextPage).toBe(true);
    const last = await projects.page(plane.admin, { entityName: "team", first: 2, after: first.endCursor });
    expect([last.nodes.map(({ name }) => name), last.hasNextPage]).toEqual([["c"], false]);
  });
});
