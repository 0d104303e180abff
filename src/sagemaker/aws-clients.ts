import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECRClient } from "@aws-sdk/client-ecr";
import { SageMakerClient } from "@aws-sdk/client-sagemaker";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

export interface AwsClients {
  readonly sagemaker: SageMakerClient;
  readonly logs: CloudWatchLogsClient;
  readonly sts: STSClient;
  /** A client of another region's ECR: images may live elsewhere than the jobs. */
  ecr(region?: string): ECRClient;
  /** Region of the training jobs, as the SDK resolves it. */
  region(): Promise<string>;
  /** Account and partition of the credentials; asked once, kept while the credentials work. */
  identity(): Promise<{ readonly accountId: string; readonly partition: string }>;
  close(): void;
}

/**
 * Clients by the SDK's own settings: credentials by the default provider chain (refreshed by the SDK before they
 * expire), region and endpoint from the environment and the shared config file (AWS_ENDPOINT_URL). One set for the
 * whole agent. A call that gets no answer in 30 s is given up; the SDK tries a call three times before it tells.
 */
export function createAwsClients(options: { readonly region?: string; readonly profile?: string } = {}): AwsClients {
  const settings = {
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: 30_000,
      httpAgent: { maxSockets: 64 },
      httpsAgent: { maxSockets: 64 },
    },
  };
  const sagemaker = new SageMakerClient(settings);
  const logs = new CloudWatchLogsClient(settings);
  const sts = new STSClient(settings);
  const ecr = new ECRClient(settings);
  const byRegion = new Map<string, ECRClient>();
  let identity: Promise<{ accountId: string; partition: string }> | undefined;
  return {
    sagemaker,
    logs,
    sts,
    ecr: (region) => {
      if (region === undefined) return ecr;
      const known = byRegion.get(region);
      if (known !== undefined) return known;
      const made = new ECRClient({ ...settings, region });
      byRegion.set(region, made);
      return made;
    },
    region: () => sagemaker.config.region(),
    identity: () => {
      identity ??= callerIdentity(sts).catch((error: unknown) => {
        identity = undefined;
        throw error;
      });
      return identity;
    },
    close: () => {
      for (const client of [sagemaker, logs, sts, ecr, ...byRegion.values()]) client.destroy();
    },
  };
}

async function callerIdentity(sts: STSClient): Promise<{ accountId: string; partition: string }> {
  const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
  return { accountId: Account ?? "", partition: Arn?.split(":")[1] ?? "aws" };
}
