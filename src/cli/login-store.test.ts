import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { CliConfig } from "./config.ts";
import { storedBaseUrl, storedKey, storeLogin } from "./login-store.ts";

const key = "k".repeat(40);
let config: CliConfig;

beforeEach(async () => {
  const home = await mkdtemp(join(tmpdir(), "slipway-login-"));
  config = {
    env: {},
    home,
    dataDir: join(home, ".slipway"),
    wandbConfigDir: join(home, ".config/wandb"),
    debug: false,
  };
});

describe("the login store", () => {
  it("knows nothing at first", async () => {
    expect(await storedBaseUrl(config)).toBeUndefined();
    expect(await storedKey(config, "http://127.0.0.1:8080")).toBeUndefined();
  });

  it("keeps a key where only its owner reads it, and the server of the last login", async () => {
    await storeLogin(config, "http://127.0.0.1:8080", key);
    expect(await storedKey(config, "http://127.0.0.1:8080/")).toBe(key);
    expect(await storedKey(config, "http://127.0.0.1:9090")).toBeUndefined();
    expect(await storedBaseUrl(config)).toBe("http://127.0.0.1:8080");
    expect((await stat(join(config.home, ".netrc"))).mode & 0o777).toBe(0o600);
  });

  it("leaves other machines of the netrc alone and replaces its own", async () => {
    const netrc = join(config.home, ".netrc");
    await writeFile(
      netrc,
      "machine example.com login a password b\nmachine 127.0.0.1:8080\n  login user\n  password old\n",
    );
    await storeLogin(config, "http://127.0.0.1:8080", key);
    await storeLogin(config, "http://127.0.0.1:8081", key.replace("k", "j"));
    const text = await readFile(netrc, "utf8");
    expect(text).toContain("machine example.com login a password b");
    expect(text).not.toContain("old");
    expect(text.match(/^machine/gm)).toHaveLength(3);
    expect(await storedKey(config, "http://127.0.0.1:8080")).toBe(key);
    expect(await storedBaseUrl(config)).toBe("http://127.0.0.1:8081");
  });

  it("keeps the other settings of the wandb client", async () => {
    await storeLogin(config, "http://a:1", key);
    const settings = join(config.wandbConfigDir, "settings");
    await writeFile(settings, "[default]\nentity = team\nbase_url = http://a:1\n");
    await storeLogin(config, "http://b:2", key);
    expect(await readFile(settings, "utf8")).toBe("[default]\nbase_url = http://b:2\nentity = team\n");
  });
});
