/** CreateTrainingJob's members that the local SageMaker acts on. Read by `readInput`, so types and bounds hold. */
export interface TrainingRequest {
  readonly TrainingJobName: string;
  readonly RoleArn: string;
  readonly AlgorithmSpecification: {
    readonly TrainingImage?: string;
    readonly AlgorithmName?: string;
    readonly TrainingInputMode: InputMode;
    readonly MetricDefinitions?: readonly { readonly Name: string; readonly Regex: string }[];
    readonly ContainerEntrypoint?: readonly string[];
    readonly ContainerArguments?: readonly string[];
  };
  readonly HyperParameters?: Readonly<Record<string, string>>;
  readonly InputDataConfig?: readonly Channel[];
  readonly OutputDataConfig: {
    readonly S3OutputPath: string;
    readonly CompressionType?: "GZIP" | "NONE";
    readonly KmsKeyId?: string;
  };
  readonly ResourceConfig: {
    readonly InstanceType?: string;
    readonly InstanceCount?: number;
    readonly VolumeSizeInGB?: number;
    readonly VolumeKmsKeyId?: string;
    readonly InstanceGroups?: readonly InstanceGroup[];
  };
  readonly StoppingCondition?: {
    readonly MaxRuntimeInSeconds?: number;
    readonly MaxWaitTimeInSeconds?: number;
  };
  readonly Tags?: readonly Tag[];
  readonly EnableNetworkIsolation?: boolean;
  readonly EnableManagedSpotTraining?: boolean;
  readonly CheckpointConfig?: { readonly S3Uri: string; readonly LocalPath?: string };
  readonly Environment?: Readonly<Record<string, string>>;
  readonly ServerlessJobConfig?: object;
}

export type InputMode = "File" | "Pipe" | "FastFile";

export interface InstanceGroup {
  readonly InstanceGroupName: string;
  readonly InstanceType: string;
  readonly InstanceCount: number;
}

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

export interface Channel {
  readonly ChannelName: string;
  readonly DataSource: {
    readonly S3DataSource?: {
      readonly S3DataType: "S3Prefix" | "ManifestFile" | "AugmentedManifestFile" | "Converse";
      readonly S3Uri: string;
      readonly S3DataDistributionType?: "FullyReplicated" | "ShardedByS3Key";
      readonly AttributeNames?: readonly string[];
      readonly InstanceGroupNames?: readonly string[];
    };
    readonly FileSystemDataSource?: object;
    readonly DatasetSource?: object;
  };
  readonly ContentType?: string;
  readonly CompressionType?: "None" | "Gzip";
  readonly RecordWrapperType?: "None" | "RecordIO";
  readonly InputMode?: InputMode;
  readonly ShuffleConfig?: { readonly Seed: number };
}

/** One host of a job: `algo-1`, ... numbered over all groups in their order. */
export interface JobHost {
  readonly name: string;
  readonly instanceType: string;
  readonly group?: string;
}

/** The hosts that a request asks for. */
export function hostsOf(request: TrainingRequest): JobHost[] {
  const { InstanceGroups: groups, InstanceType, InstanceCount } = request.ResourceConfig;
  const hosts: JobHost[] = [];
  for (const group of groups ?? [
    { InstanceType: InstanceType ?? "", InstanceCount: InstanceCount ?? 1, InstanceGroupName: "" },
  ]) {
    for (let index = 0; index < group.InstanceCount; index++) {
      const named = group.InstanceGroupName === "" ? {} : { group: group.InstanceGroupName };
      hosts.push({ name: `algo-${hosts.length + 1}`, instanceType: group.InstanceType, ...named });
    }
  }
  return hosts;
}

/** How a channel is given to the container; the channel's own word wins over the job's. */
export function inputModeOf(request: TrainingRequest, channel: Channel): InputMode {
  return channel.InputMode ?? request.AlgorithmSpecification.TrainingInputMode;
}

/** Bucket and key of `s3://BUCKET/KEY` or an https address of S3; undefined for anything else. */
export function parseS3Uri(uri: string): { bucket: string; key: string } | undefined {
  const plain = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(uri);
  if (plain !== null) return { bucket: plain[1]!, key: plain[2]! };
  const path = /^https:\/\/s3[.-][^/]*amazonaws\.com\/([^/]+)\/?(.*)$/s.exec(uri);
  if (path !== null) return { bucket: path[1]!, key: path[2]! };
  const virtual = /^https:\/\/([^/]+)\.s3[.-][^/]*amazonaws\.com\/?(.*)$/s.exec(uri);
  return virtual === null ? undefined : { bucket: virtual[1]!, key: virtual[2]! };
}

/** `PREFIX/NAME` with one slash between, also where the prefix is empty or ends with one. */
export function joinKey(prefix: string, name: string): string {
  return prefix === "" || prefix.endsWith("/") ? prefix + name : `${prefix}/${name}`;
}

/** The ARN of a key that is named by its id, its ARN or an alias. */
export function keyArn(named: string, region: string, accountId: string): string {
  if (named.startsWith("arn:")) return named;
  return `arn:aws:kms:${region}:${accountId}:${named.startsWith("alias/") ? named : `key/${named}`}`;
}
