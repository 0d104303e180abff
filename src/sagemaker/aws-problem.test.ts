import { expect, test } from "vitest";
import { classifyAwsError } from "./aws-problem.ts";

const aws = (name: string, message = "", status = 400) =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status, requestId: "r-1" } });

test.each([
  ["ThrottlingException", "Rate exceeded", "throttled", true],
  ["TooManyRequestsException", "", "throttled", true],
  ["ResourceLimitExceeded", "The account-level service limit ... is 0 Instances", "quota", true],
  ["ResourceInUse", "Training job names must be unique within an AWS account and region", "in_use", false],
  ["ValidationException", "1 validation error detected", "validation", false],
  ["ValidationException", "Requested resource not found.", "not_found", false],
  ["ValidationException", "Could not find training job abc", "not_found", false],
  ["ResourceNotFoundException", "The specified log group does not exist.", "not_found", false],
  [
    "AccessDeniedException",
    "User: arn is not authorized to perform: sagemaker:CreateTrainingJob",
    "access_denied",
    false,
  ],
  ["ExpiredTokenException", "The security token included in the request is expired", "credentials", true],
  ["UnrecognizedClientException", "The security token included in the request is invalid.", "credentials", true],
  ["CredentialsProviderError", "Could not load credentials from any providers", "credentials", true],
  ["InvalidSignatureException", "The request signature we calculated does not match", "credentials", true],
  ["TimeoutError", "Connection timed out", "network", true],
  ["ImageNotFoundException", "", "not_found", false],
  ["InsufficientCapacityException", "", "capacity", true],
])("%s (%s) is %s", (name, message, kind, passing) => {
  expect(classifyAwsError(aws(name, message))).toMatchObject({ kind, passing, requestId: "r-1" });
});

test("what has no known name goes by its HTTP status, the system's code or its message", () => {
  expect(classifyAwsError(aws("Strange", "", 502)).kind).toBe("service");
  expect(classifyAwsError(aws("Strange", "", 403)).kind).toBe("access_denied");
  expect(classifyAwsError(aws("Strange", "", 418)).kind).toBe("validation");
  expect(classifyAwsError(Object.assign(new Error("x"), { code: "ECONNREFUSED" })).kind).toBe("network");
  const dualStack = Object.assign(new AggregateError([Object.assign(new Error("connect"), { code: "ECONNREFUSED" })]), {
    code: "ECONNREFUSED",
  });
  expect(classifyAwsError(dualStack)).toMatchObject({ kind: "network", message: "connect" });
  expect(classifyAwsError(new TypeError("x is not a function"))).toMatchObject({ kind: "unknown", passing: false });
  expect(classifyAwsError(undefined).kind).toBe("unknown");
});
