import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECRClient } from "@aws-sdk/client-ecr";
import { IAMClient } from "@aws-sdk/client-iam";
import { S3Client } from "@aws-sdk/client-s3";
import { SageMakerClient } from "@aws-sdk/client-sagemaker";
import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { STSClient } from "@aws-sdk/client-sts";

/** Clients of what `slipway aws` makes and looks at, by the SDK's own settings (credentials, AWS_ENDPOINT_URL). */
export interface AccountClients {
  readonly iam: IAMClient;
  readonly s3: S3Client;
  readonly ecr: ECRClient;
  readonly sts: STSClient;
  readonly sagemaker: SageMakerClient;
  readonly logs: CloudWatchLogsClient;
  readonly quotas: ServiceQuotasClient;
  close(): void;
}

/** `hasOwnEndpoint`: the services are at an address of their own (the local AWS), where a bucket cannot be a host's name. */
export function createAccountClients(region: string, hasOwnEndpoint: boolean): AccountClients {
  const settings = { region, maxAttempts: 3 };
  const clients = {
    iam: new IAMClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: hasOwnEndpoint }),
    ecr: new ECRClient(settings),
    sts: new STSClient(settings),
    sagemaker: new SageMakerClient(settings),
    logs: new CloudWatchLogsClient(settings),
    quotas: new ServiceQuotasClient(settings),
  };
  return {
    ...clients,
    close: () => {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}
