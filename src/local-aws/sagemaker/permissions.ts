import type { ContextKeys } from "../../core/iam/context.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { isJsonObject } from "../../core/json.ts";
import type { Permission } from "../iam/authorize.ts";
import { resourceTags, tagKeys } from "../iam/tag-keys.ts";
import type { AwsRequest } from "../service.ts";
import type { JobStore } from "./job-store.ts";

/**
 * What each operation needs: itself on its job, iam:PassRole for the execution role, sagemaker:AddTags for a job that is made with tags.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
 */
export function trainingPermissions(jobs: JobStore) {
  return (operation: string, input: JsonObject, request: AwsRequest): Permission[] => {
    const action = `sagemaker:${operation}`;
    // Listing has no resource.
    if (operation === "ListTrainingJobs") return [{ action, resource: "*" }];
    const resource =
      typeof input.ResourceArn === "string"
        ? input.ResourceArn
        : `arn:aws:sagemaker:${request.region}:${request.accountId}:training-job/${String(input.TrainingJobName)}`;
    const existing = Object.fromEntries(jobs.tags(resource).map(({ Key, Value }) => [Key, Value]));
    const tags = tagsOf(input.Tags);
    const context: ContextKeys = { ...jobKeys(input), ...tagKeys(tags), ...resourceTags(existing, "sagemaker") };
    const needed: Permission[] = [{ action, resource, context }];
    if (operation !== "CreateTrainingJob") return needed;
    if (typeof input.RoleArn === "string") {
      needed.push({
        action: "iam:PassRole",
        resource: input.RoleArn,
        context: { "iam:PassedToService": "sagemaker.amazonaws.com", "iam:AssociatedResourceArn": resource },
      });
    }
    if (Object.keys(tags).length > 0) {
      const tagging = { ...tagKeys(tags), "sagemaker:TaggingAction": "CreateTrainingJob" };
      needed.push({ action: "sagemaker:AddTags", resource, context: tagging });
    }
    return needed;
  };
}

/** The condition keys of a job's own request. */
function jobKeys(input: JsonObject): ContextKeys {
  const member = (path: string): JsonValue | undefined =>
    path.split(".").reduce<JsonValue | undefined>((at, name) => (isJsonObject(at) ? at[name] : undefined), input);
  const keys: Record<string, string | string[]> = {};
  const one = (key: string, path: string) => {
    const value = member(path);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      keys[`sagemaker:${key}`] = String(value);
  };
  const many = (key: string, path: string) => {
    const value = member(path);
    if (Array.isArray(value)) keys[`sagemaker:${key}`] = (value as readonly JsonValue[]).map(String);
  };
  const groups = member("ResourceConfig.InstanceGroups");
  const types = [
    member("ResourceConfig.InstanceType"),
    ...(Array.isArray(groups)
      ? (groups as readonly JsonValue[]).map((group) => isJsonObject(group) && group.InstanceType)
      : []),
  ].filter((type) => typeof type === "string");
  if (types.length > 0) keys["sagemaker:InstanceTypes"] = types;
  one("InterContainerTrafficEncryption", "EnableInterContainerTrafficEncryption");
  one("NetworkIsolation", "EnableNetworkIsolation");
  one("MaxRuntimeInSeconds", "StoppingCondition.MaxRuntimeInSeconds");
  one("OutputKmsKey", "OutputDataConfig.KmsKeyId");
  one("VolumeKmsKey", "ResourceConfig.VolumeKmsKeyId");
  one("KeepAlivePeriod", "ResourceConfig.KeepAlivePeriodInSeconds");
  one("EnableRemoteDebug", "RemoteDebugConfig.EnableRemoteDebug");
  many("VpcSecurityGroupIds", "VpcConfig.SecurityGroupIds");
  many("VpcSubnets", "VpcConfig.Subnets");
  return keys;
}

function tagsOf(value: JsonValue | undefined): Record<string, string> {
  if (!Array.isArray(value)) return {};
  const tags = (value as readonly JsonValue[]).filter(isJsonObject);
  return Object.fromEntries(tags.map(({ Key, Value }) => [String(Key), String(Value)]));
}
