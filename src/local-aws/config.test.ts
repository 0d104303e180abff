import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LOCAL_AWS_SETTINGS, readLocalAwsConfig } from "./config.ts";

const GUIDE = readFileSync(new URL("../../docs/guide/local-aws.md", import.meta.url), "utf8");

test("the guide lists every setting and no other, with its default", () => {
  const table = GUIDE.slice(GUIDE.indexOf("## Settings"), GUIDE.indexOf("## Docker"));
  const listed = new Map(
    [...table.matchAll(/^\| `([A-Z_]+)`[^|]*\| ([^|]*) \|/gm)].map(([, name, value]) => [name!, value!]),
  );
  expect([...listed.keys()].sort()).toEqual(Object.keys(LOCAL_AWS_SETTINGS.shape).sort());
  const defaults = LOCAL_AWS_SETTINGS.parse({});
  for (const [name, value] of Object.entries(defaults)) expect(listed.get(name), name).toBe(String(value));
  expect(listed.get("SLIPWAY_DATA")).toBe("~/.slipway");
  expect(readLocalAwsConfig({ HOME: "/home/ann" }).dataDir).toBe("/home/ann/.slipway");
});

test("the command line wins over the environment, an empty variable counts as absent", () => {
  const env = { SLIPWAY_DATA: "/data", SLIPWAY_LOCAL_AWS_PORT: "", SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "2.5" };
  expect(readLocalAwsConfig(env)).toMatchObject({ stateDir: "/data/local-aws", port: 4566, stopGraceMs: 2500 });
  expect(readLocalAwsConfig(env, { dataDir: "/other", port: 1 })).toMatchObject({ dataDir: "/other", port: 1 });
});

test("every wrong setting is named with what it does", () => {
  const env = { SLIPWAY_LOCAL_AWS_PORT: "70000", SLIPWAY_LOCAL_AWS_RUNTIME: "podman" };
  expect(() => readLocalAwsConfig(env)).toThrow(
    expect.objectContaining({
      code: "LOCAL_AWS_CONFIG_INVALID",
      problems: [
        expect.objectContaining({ path: "SLIPWAY_LOCAL_AWS_PORT", hint: expect.stringContaining("Port to listen on") }),
        expect.objectContaining({ path: "SLIPWAY_LOCAL_AWS_RUNTIME" }),
      ],
    }),
  );
});
