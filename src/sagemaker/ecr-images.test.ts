import { expect, test } from "vitest";
import { parseEcrImage } from "./ecr-images.ts";

const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const digest = `sha256:${"a".repeat(64)}`;

test("an image on ECR by tag, digest, both or neither", () => {
  const parts = { accountId: "123456789012", region: "us-east-1", repository: "team/train" };
  expect(parseEcrImage(`${host}/team/train:v1`)).toEqual({ ...parts, tag: "v1" });
  expect(parseEcrImage(`${host}/team/train@${digest}`)).toEqual({ ...parts, digest });
  expect(parseEcrImage(`${host}/team/train:v1@${digest}`)).toEqual({ ...parts, tag: "v1", digest });
  expect(parseEcrImage(`${host}/team/train`)).toEqual({ ...parts, tag: "latest" });
});

test("an image elsewhere is not ECR's", () => {
  expect(parseEcrImage("python:3.11")).toBeUndefined();
  expect(parseEcrImage("ghcr.io/team/train:v1")).toBeUndefined();
  expect(parseEcrImage("localhost:5000/team/train:v1")).toBeUndefined();
});
