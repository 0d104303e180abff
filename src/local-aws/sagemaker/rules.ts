import { AwsError } from "../service.ts";
import { parseS3Uri, type TrainingRequest } from "./request.ts";
import { missing, refuse } from "./validate.ts";

/** 28 days: the longest MaxRuntimeInSeconds (API reference, StoppingCondition). */
const MAX_RUNTIME_SECONDS = 28 * 24 * 3600;

/** The rules between members that CreateTrainingJob checks before it accepts a job. Throws ValidationException. */
export function checkRules(request: TrainingRequest): void {
  const { AlgorithmSpecification: algorithm, ResourceConfig: resources, StoppingCondition: stopping } = request;
  if (request.ServerlessJobConfig !== undefined) {
    throw invalid(
      "ServerlessJobConfig is not supported: serverless customization jobs need models that only AWS hosts",
    );
  }
  const absent: string[] = [];
  if (algorithm === undefined) absent.push(missing("algorithmSpecification"));
  if (resources === undefined) absent.push(missing("resourceConfig"));
  if (stopping === undefined) absent.push(missing("stoppingCondition"));
  refuse(absent);

  if ((algorithm.TrainingImage === undefined) === (algorithm.AlgorithmName === undefined)) {
    throw invalid("You must specify either AlgorithmName or TrainingImage, but not both.");
  }
  if (resources.InstanceGroups !== undefined && resources.InstanceGroups.length > 0) {
    if (resources.InstanceType !== undefined || resources.InstanceCount !== undefined) {
      throw invalid(
        "You can specify either InstanceGroups or InstanceType and InstanceCount in ResourceConfig, but not both.",
      );
    }
    unique(
      resources.InstanceGroups.map((group) => group.InstanceGroupName),
      "instance group name",
    );
    if (resources.InstanceGroups.some((group) => group.InstanceCount < 1))
      throw invalid("InstanceCount must be greater than 0.");
  } else {
    refuse([
      ...(resources.InstanceType === undefined ? [missing("resourceConfig.instanceType")] : []),
      ...(resources.InstanceCount === undefined ? [missing("resourceConfig.instanceCount")] : []),
    ]);
    if (resources.InstanceCount! < 1) throw invalid("InstanceCount must be greater than 0.");
  }
  if (resources.VolumeSizeInGB !== undefined && resources.VolumeSizeInGB < 1) {
    throw invalid("VolumeSizeInGB must be greater than 0.");
  }

  const maxRuntime = stopping?.MaxRuntimeInSeconds;
  const maxWait = stopping?.MaxWaitTimeInSeconds;
  if (maxRuntime !== undefined && maxRuntime > MAX_RUNTIME_SECONDS) {
    throw invalid(`MaxRuntimeInSeconds must be less than or equal to ${MAX_RUNTIME_SECONDS}`);
  }
  if (request.EnableManagedSpotTraining === true) {
    if (maxWait === undefined || maxWait < (maxRuntime ?? 86_400)) {
      throw invalid(
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
      );
    }
  } else if (maxWait !== undefined) {
    throw invalid(
      "Invalid MaxWaitTimeInSeconds. MaxWaitTimeInSeconds is only supported when EnableManagedSpotTraining is True",
    );
  }

  unique(
    (request.InputDataConfig ?? []).map((channel) => channel.ChannelName),
    "channel name",
  );
  for (const channel of request.InputDataConfig ?? []) {
    const { S3DataSource: s3, FileSystemDataSource, DatasetSource } = channel.DataSource;
    if ([s3, FileSystemDataSource, DatasetSource].filter((source) => source !== undefined).length !== 1) {
      throw invalid(`Exactly one data source must be specified for channel ${channel.ChannelName}.`);
    }
    if (s3 === undefined) {
      throw invalid(`The data source of channel ${channel.ChannelName} is not supported here: only S3DataSource is.`);
    }
    if (parseS3Uri(s3.S3Uri) === undefined)
      throw invalid(`Invalid S3 URI ${s3.S3Uri} in channel ${channel.ChannelName}.`);
    if (s3.S3DataType === "AugmentedManifestFile" && (s3.AttributeNames ?? []).length === 0) {
      throw invalid(
        `AttributeNames must be specified when S3DataType is AugmentedManifestFile (channel ${channel.ChannelName}).`,
      );
    }
    if (s3.S3DataType === "Converse") throw invalid("S3DataType Converse is only supported with ServerlessJobConfig.");
  }
  for (const [what, uri] of [
    ["OutputDataConfig.S3OutputPath", request.OutputDataConfig.S3OutputPath],
    ["CheckpointConfig.S3Uri", request.CheckpointConfig?.S3Uri],
  ] as const) {
    if (uri !== undefined && parseS3Uri(uri) === undefined) throw invalid(`Invalid S3 URI ${uri} in ${what}.`);
  }
  checkTags(request.Tags ?? []);
}

/** Keys must differ and leave the prefix `aws:` to AWS. */
export function checkTags(tags: readonly { readonly Key: string }[]): void {
  unique(
    tags.map((tag) => tag.Key),
    "tag key",
  );
  for (const tag of tags) {
    if (/^aws:/i.test(tag.Key)) throw invalid("Tag keys with prefix 'aws:' are reserved for AWS use.");
  }
}

function unique(values: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) throw invalid(`Duplicate ${what} found: ${value}.`);
    seen.add(value);
  }
}

export function invalid(message: string): AwsError {
  return new AwsError("ValidationException", message);
}
