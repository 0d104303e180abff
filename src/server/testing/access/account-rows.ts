import { type AccessTables, type AccessWorld, input } from "./access-world.ts";

/** Users, teams, keys, and the server itself. */
export function accountRows(world: AccessWorld): AccessTables {
  const { newKeyId, newMember, fresh } = world;
  return {
    queries: {
      // A job's key sees the entity of its run, by its name; access of its fields: below.
      entity: { least: "viewer", args: () => ({ name: "team" }), own: () => ({ name: "team" }) },
      serverInfo: { least: "anyone" },
      users: { least: "admin" },
      viewer: { least: "anyone" },
    },
    mutations: {
      createApiKey: { least: "admin", args: input(() => ({ name: "k", username: "admin" })) },
      createInvite: {
        least: "lead",
        args: input(async () => {
          const username = fresh();
          await world.app.user(username);
          return { entityName: "team", username };
        }),
      },
      createServiceAccount: { least: "lead", args: input(() => ({ entityName: "team", description: fresh() })) },
      createTeam: { least: "admin", args: input(() => ({ name: fresh() })) },
      createUser: { least: "admin", args: input(() => ({ name: fresh() })) },
      deleteApiKey: { least: "admin", args: input(async () => ({ id: await newKeyId() })) },
      deleteInvite: { least: "lead", args: input(async () => ({ entityName: "team", id: await newMember() })) },
      deleteUser: {
        least: "admin",
        args: input(async () => {
          const name = fresh();
          await world.app.user(name);
          return { name };
        }),
      },
      // One's own: there is nothing of another's to name.
      generateApiKey: { least: "stranger", args: input(() => ({ description: "d" })) },
    },
  };
}
