import type { JsonObject } from "../core/json.ts";
import { deniedText, type Permission } from "./iam/authorize.ts";
import { AwsError, type AwsRequest, type AwsResponse, type AwsService } from "./service.ts";

/** One operation: takes the request's JSON members, gives the answer's (undefined: an empty answer). Throws AwsError. */
export type JsonOperation = (
  input: JsonObject,
  request: AwsRequest,
) => Promise<object | undefined> | object | undefined;

export interface JsonServiceOptions {
  /** Service name of the credential scope. */
  readonly scope: string;
  /** What stands before the dot of X-Amz-Target: `SageMaker`, `Logs_20140328`, `AmazonEC2ContainerRegistry_V20150921`. */
  readonly targetPrefix: string;
  /** By operation name: `CreateTrainingJob`. */
  readonly operations: Readonly<Record<string, JsonOperation>>;
  /** What an operation needs to be allowed. Absent: `SCOPE:OPERATION` on `*`. */
  readonly permissions?: (operation: string, input: JsonObject, request: AwsRequest) => readonly Permission[];
  /** Largest body in bytes; 10 MiB unless told. */
  readonly maxBodyBytes?: number;
  readonly close?: () => Promise<void>;
}

/**
 * A service of the AWS JSON 1.1 protocol: `POST /` with `X-Amz-Target: PREFIX.OPERATION`, JSON both ways, errors as `{"__type","message"}`.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export function createJsonService(options: JsonServiceOptions): AwsService {
  return {
    scope: options.scope,
    protocol: "json",
    handle: (request) => handle(options, request),
    ...(options.close === undefined ? {} : { close: options.close }),
  };
}

async function handle(options: JsonServiceOptions, request: AwsRequest): Promise<AwsResponse> {
  const target = request.headers["x-amz-target"] ?? "";
  const separator = target.lastIndexOf(".");
  const operation = target.slice(separator + 1);
  const run =
    target.slice(0, separator) === options.targetPrefix && Object.hasOwn(options.operations, operation)
      ? options.operations[operation]
      : undefined;
  if (run === undefined) throw new AwsError("UnknownOperationException", `The operation '${target}' is not known`);
  const input = parseInput(await request.readBody(options.maxBodyBytes));
  const permissions = options.permissions?.(operation, input, request) ?? [
    { action: `${options.scope}:${operation}`, resource: "*" },
  ];
  for (const permission of permissions) {
    const decision = request.access(permission);
    if (!decision.allowed) {
      throw new AwsError("AccessDeniedException", deniedText(request.principal, permission, decision.reason));
    }
  }
  const output = await run(input, request);
  return {
    status: 200,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: output === undefined ? "" : JSON.stringify(output),
  };
}

function parseInput(body: Buffer): JsonObject {
  if (body.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    throw new AwsError("SerializationException", "The request body is not valid JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new AwsError("SerializationException", "Start of structure or map found where not expected.");
  }
  return parsed as JsonObject;
}

/** An error in the JSON 1.1 protocol. */
export function renderJsonError(error: AwsError): AwsResponse {
  return {
    status: error.status,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ __type: error.code, message: error.message, ...error.details }),
  };
}
