import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

describe.each(CROSSED_WORLDS)("on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  test.each(releases)(
    "wandb %s logs in with a key that the server knows, and is told of one it does not",
    async (release) => {
      const home = join(world.dataDir, `login-${release}`);
      const client = await world.client(release, { home, apiKey: "" });
      const good = await client.wandb(["login", "--relogin", "--verify", "--host", world.url, world.apiKey]);
      expect(good.stderr).toContain("Currently logged in as: admin");
      expect(good.code).toBe(0);
      expect(await readFile(join(home, ".netrc"), "utf8")).toContain(world.apiKey);
      const bad = await client.wandb(["login", "--relogin", "--verify", "--host", world.url, "0".repeat(40)]);
      expect(bad.code).not.toBe(0);
      // The older release gives its question no name.
      const asked = world.documents().filter(({ query }) => /\bviewer\b/.test(query));
      expect(asked.map(({ operationName }) => operationName)).toContain(release === "0.31.0" ? "Viewer" : "");
    },
  );
});
