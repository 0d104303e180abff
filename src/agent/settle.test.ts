import { expect, test } from "vitest";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { judge, waitMs } from "./settle.ts";

const aws = (name: string, message = "said AWS") =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 } });

test.each([
  ["ThrottlingException", "throttled"],
  ["ResourceLimitExceeded", "quota"],
  ["ExpiredTokenException", "credentials"],
  ["ECONNREFUSED", "network"],
])("%s puts the item back to wait", (name, kind) => {
  const verdict = judge(aws(name), "submitting the training job");
  expect(verdict).toMatchObject({ kind: "wait", problem: { kind } });
});

test("expired credentials are named so", () => {
  expect(judge(aws("ExpiredTokenException"), "x")).toMatchObject({
    reason: "The agent's AWS credentials have expired",
  });
});

test("a refusal by AWS, a missing image and a taken name fail the item, each with its code and cause", () => {
  expect(judge(aws("ValidationException"), "submitting the training job")).toMatchObject({
    settlement: { state: "FAILED", cause: "validation", code: "TRAINING_JOB_REFUSED", stage: "agent" },
  });
  expect(judge(aws("AccessDeniedException"), "x")).toMatchObject({
    settlement: { cause: "access_denied", code: "AWS_ACCESS_DENIED" },
  });
  const taken = new SlipwayError("TRAINING_JOB_NAME_TAKEN", { values: { name: "a" } });
  expect(judge(taken, "x")).toMatchObject({ settlement: { cause: "name_conflict" } });
  const missing = new SlipwayError("IMAGE_NOT_FOUND", { values: { image: "i" } });
  expect(judge(missing, "building the image")).toMatchObject({ settlement: { cause: "build", stage: "build" } });
});

test("a mistake of our own fails the item as internal, and is not taken for AWS's", () => {
  expect(judge(new TypeError("x is undefined"), "planning")).toMatchObject({
    settlement: { cause: "internal", code: "AGENT_STEP_FAILED" },
  });
});

test("problems of a config are told one by one", () => {
  const problems = [{ path: "A.B", message: "is wrong", hint: "C" }];
  const error = new SlipwayError("RESOURCE_CONFIG_INVALID", { values: { count: 1 }, problems });
  expect(judge(error, "planning")).toMatchObject({
    settlement: { message: expect.stringContaining("A.B: is wrong (C)") },
  });
});

test("each wait is twice the last, up to a limit", () => {
  expect([1, 2, 3, 9].map((times) => waitMs("quota", times))).toEqual([30_000, 60_000, 120_000, 300_000]);
});
