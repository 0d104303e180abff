import type { WandbWorld } from "./wandb-world.ts";

/** The local AWS of a world that was started with one, and how the AWS SDK's clients find it. */
export function localAwsOf({ aws }: WandbWorld) {
  if (!aws) throw new Error("there is no local AWS");
  const { endpointUrl: endpoint, region, accessKeyId, secretAccessKey } = aws;
  return { environment: aws, client: { endpoint, region, credentials: { accessKeyId, secretAccessKey } } };
}

/** Makes a queue whose jobs train on the world's local AWS with the wandb client inside; the root of its file system is not to be written to. */
export async function makeTrainingQueue(
  world: WandbWorld,
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { roleArn, bucket } = localAwsOf(world).environment;
  const resourceConfig = JSON.stringify({
    RoleArn: roleArn,
    OutputDataConfig: { S3OutputPath: `s3://${bucket}/output` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 1 },
    StoppingCondition: { MaxRuntimeInSeconds: 600 },
    Environment: {
      HOME: "/tmp",
      WANDB_DIR: "/tmp",
      WANDB_CACHE_DIR: "/tmp/cache",
      WANDB_CONFIG_DIR: "/tmp/config",
      ...environment,
    },
  });
  const target = { entityName: world.entity, projectName: "model-registry", queueName: name };
  await world.graphql(`mutation Q($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }`, {
    input: { ...target, resourceType: "sagemaker", resourceConfig },
  });
}
