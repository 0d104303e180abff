import { expect, it } from "vitest";
import { sha256 } from "./digest.ts";
import { parseImageReference, registryEndpoint } from "./image-reference.ts";

it.each([
  ["python:3.11-slim", "docker.io", "library/python", "3.11-slim"],
  ["team/tool", "docker.io", "team/tool", "latest"],
  ["localhost/x", "localhost", "x", "latest"],
  ["127.0.0.1:5000/a/b:c", "127.0.0.1:5000", "a/b", "c"],
  ["123456789012.dkr.ecr.us-east-1.amazonaws.com/r:t", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "r", "t"],
  [`ghcr.io/a/b:tag@${sha256("x")}`, "ghcr.io", "a/b", sha256("x")],
])("reads %s", (text, host, repository, reference) => {
  expect(parseImageReference(text)).toMatchObject({ host, repository, reference });
});

it.each(["", "UPPER/case", "a:b:c", "a@sha256:12", "host.example/", "a b", "x:-tag", "x@y@z"])("refuses %j", (text) => {
  expect(() => parseImageReference(text)).toThrow(expect.objectContaining({ code: "IMAGE_REFERENCE_INVALID" }));
});

it("speaks plain HTTP to this machine only", () => {
  expect(registryEndpoint("localhost:5000")).toBe("http://localhost:5000");
  expect(registryEndpoint("127.0.0.1:5000")).toBe("http://127.0.0.1:5000");
  expect(registryEndpoint("10.0.0.1:5000")).toBe("https://10.0.0.1:5000");
  expect(registryEndpoint("docker.io")).toBe("https://registry-1.docker.io");
});
