import { expect, test } from "vitest";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { readServerConfig } from "./config.ts";

test("everything has a default", () => {
  const config = readServerConfig({ HOME: "/home/ana" });
  expect(config).toMatchObject({ dataDir: "/home/ana/.slipway", host: "127.0.0.1", port: 8080, adminUser: "admin" });
  expect(config.databaseUrl).toBeUndefined();
});

test("overrides win over the environment, and an empty variable is none", () => {
  const env = { SLIPWAY_DATA: "/data", SLIPWAY_PORT: "9000", SLIPWAY_HOST: "", SLIPWAY_BASE_URL: "https://x.example/" };
  const config = readServerConfig(env, { port: 0, dataDir: "/other" });
  expect(config).toMatchObject({ dataDir: "/other", port: 0, host: "127.0.0.1", baseUrl: "https://x.example" });
});

test("every wrong setting is named, with what it does", () => {
  const env = { SLIPWAY_PORT: "99999", DATABASE_URL: "mysql://x", SLIPWAY_ADMIN_API_KEY: "short" };
  try {
    readServerConfig(env);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(SlipwayError);
    const { code, problems } = error as SlipwayError;
    expect(code).toBe("SERVER_CONFIG_INVALID");
    expect(problems.map(({ path }) => path).sort()).toEqual(["DATABASE_URL", "SLIPWAY_ADMIN_API_KEY", "SLIPWAY_PORT"]);
    for (const { hint } of problems) expect(hint).toBeTruthy();
    expect(JSON.stringify(problems)).not.toContain("short");
  }
});
