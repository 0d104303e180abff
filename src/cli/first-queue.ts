import { createClient } from "../client/client.ts";
import { QueuesDocument, UpsertQueueDocument } from "../client/generated/operations.ts";
import type { LocalAwsEnvironment, ServerCredentials } from "./data-dir.ts";

/** The queue that `slipway up` makes, and the ECR repository its images go to. */
export const FIRST_QUEUE = "default";
export const REPOSITORY = "slipway-jobs";

interface FirstQueueParts {
  readonly baseUrl: string;
  readonly credentials: ServerCredentials;
  readonly localAws: LocalAwsEnvironment;
}

/** Makes the ECR repository and the queue that an empty installation needs to launch something; leaves what is there alone. */
export async function prepareFirstQueue({ baseUrl, credentials, localAws }: FirstQueueParts): Promise<void> {
  await ensureRepository(localAws, REPOSITORY);
  const client = createClient({ baseUrl, apiKey: credentials.apiKey });
  const { entity } = await client.request(QueuesDocument, { entityName: credentials.entity });
  if (entity?.runQueues.some((queue) => queue.name === FIRST_QUEUE)) return;
  const configText = queueConfigText(localAws);
  const { parseQueueFile } = await import("../core/queues/queue-file.ts");
  const { resourceConfig } = parseQueueFile(configText, "queue.yaml", "sagemaker");
  await client.request(UpsertQueueDocument, {
    input: {
      entityName: credentials.entity,
      projectName: "model-registry",
      queueName: FIRST_QUEUE,
      resourceType: "sagemaker",
      resourceConfig: JSON.stringify({ resource_args: { sagemaker: resourceConfig } }),
      configText,
      prioritizationMode: "V0",
      createOnly: true,
    },
  });
}

/** Makes an ECR repository unless it is there. */
export async function ensureRepository(
  localAws: Pick<LocalAwsEnvironment, "endpointUrl" | "region" | "accessKeyId" | "secretAccessKey">,
  repositoryName: string,
): Promise<void> {
  const { CreateRepositoryCommand, ECRClient, RepositoryAlreadyExistsException } = await import("@aws-sdk/client-ecr");
  const ecr = new ECRClient({
    endpoint: localAws.endpointUrl,
    region: localAws.region,
    credentials: { accessKeyId: localAws.accessKeyId, secretAccessKey: localAws.secretAccessKey },
  });
  try {
    await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  } catch (error) {
    if (!(error instanceof RepositoryAlreadyExistsException)) throw error;
  } finally {
    ecr.destroy();
  }
}

/** The CreateTrainingJob body of the tutorial, with the local account's role and bucket. */
function queueConfigText({ roleArn, bucket }: LocalAwsEnvironment): string {
  return `# The body of CreateTrainingJob; every member of the API may stand here.
RoleArn: ${roleArn}
ResourceConfig:
  InstanceType: ml.m5.large
  InstanceCount: 1
  VolumeSizeInGB: 2
OutputDataConfig:
  S3OutputPath: s3://${bucket}/output
StoppingCondition:
  MaxRuntimeInSeconds: 3600
`;
}

/** A launch-config.yaml for an agent of this machine: code becomes an image of code and dependencies alone (base: host). */
export function launchConfigText(
  queue: string,
  { region, ecrRegistry }: { region: string; ecrRegistry: string },
): string {
  return `max_jobs: -1
queues:
  - ${queue}
environment:
  type: aws
  region: ${region}
registry:
  type: ecr
  uri: ${ecrRegistry}/${REPOSITORY}
builder:
  type: layer
  base: host   # no base image: only a local runtime can run it; on AWS name one, for instance an ECR URI
`;
}
