import type { JsonObject } from "../../core/json.ts";
import type { Permission } from "../iam/authorize.ts";
import { createJsonService, type JsonOperation } from "../json-protocol.ts";
import type { AwsRequest, AwsService, LocalAwsContext } from "../service.ts";
import type { Ecr } from "./ecr.ts";
import { imageOperations } from "./image-operations.ts";
import { layerOperations } from "./layer-operations.ts";
import { repositoryOperations } from "./repository-operations.ts";

/** Base64 of a 10 MiB layer part with its frame. */
const MAX_BODY_BYTES = 15 * 1_048_576;

/** The ECR API (AmazonEC2ContainerRegistry_V20150921, JSON 1.1) over the registry that `createEcr` has opened. */
export function createEcrService(_context: LocalAwsContext, ecr: Ecr): AwsService {
  return createJsonService({
    scope: "ecr",
    targetPrefix: "AmazonEC2ContainerRegistry_V20150921",
    maxBodyBytes: MAX_BODY_BYTES,
    permissions,
    operations: {
      ...repositoryOperations(ecr),
      ...imageOperations(ecr),
      ...layerOperations(ecr),
      GetAuthorizationToken: getAuthorizationToken(ecr),
    },
  });
}

/** ecr:GetAuthorizationToken has no resource; everything else is on one repository, DescribeRepositories without names on all. */
function permissions(operation: string, input: JsonObject, request: AwsRequest): readonly Permission[] {
  const action = `ecr:${operation}`;
  if (operation === "GetAuthorizationToken") return [{ action, resource: "*" }];
  const registry = typeof input.registryId === "string" ? input.registryId : request.accountId;
  const arn = (name: string) => `arn:aws:ecr:${request.region}:${registry}:repository/${name}`;
  if (typeof input.resourceArn === "string") return [{ action, resource: input.resourceArn }];
  if (typeof input.repositoryName === "string") return [{ action, resource: arn(input.repositoryName) }];
  const names = Array.isArray(input.repositoryNames) ? (input.repositoryNames as readonly unknown[]) : [];
  if (names.length === 0) return [{ action, resource: arn("*") }];
  return names.map((name) => ({ action, resource: arn(String(name)) }));
}

function getAuthorizationToken(ecr: Ecr): JsonOperation {
  return (_input, request) => {
    ecr.garbage.maybeCollect();
    const { password, expiresAt } = ecr.tokens.issue(request, request.principal);
    return {
      authorizationData: [
        {
          authorizationToken: Buffer.from(`AWS:${password}`).toString("base64"),
          expiresAt: expiresAt / 1000,
          proxyEndpoint: request.baseUrl,
        },
      ],
    };
  };
}
