import { expect, test } from "vitest";
import { createDockerEngine } from "./docker-engine.ts";

test.each([
  ["a socket that is not there", "unix:///nonexistent/docker.sock"],
  ["another machine", "tcp://127.0.0.1:2375"],
  ["a tunnel", "ssh://user@host"],
])("%s does not answer and says which address was asked", async (_name, host) => {
  const engine = createDockerEngine(host);
  expect(await engine.ping()).toBe(false);
  await expect(engine.call("GET", "/version")).rejects.toMatchObject({
    code: "ENGINE_UNREACHABLE",
    message: expect.stringContaining(host),
  });
});
