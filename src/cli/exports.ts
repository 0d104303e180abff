import type { LocalAwsEnvironment, ServerCredentials } from "./data-dir.ts";

/** What the wandb client and our own commands need to speak to the server of a data directory. */
export function serverExports(credentials: ServerCredentials): Record<string, string> {
  return {
    WANDB_BASE_URL: credentials.baseUrl,
    WANDB_API_KEY: credentials.apiKey,
    WANDB_ENTITY: credentials.entity,
  };
}

/** What an AWS SDK needs to speak to the local AWS, and the names that its first start made. */
export function localAwsExports(environment: LocalAwsEnvironment): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: environment.endpointUrl,
    AWS_ACCESS_KEY_ID: environment.accessKeyId,
    AWS_SECRET_ACCESS_KEY: environment.secretAccessKey,
    AWS_REGION: environment.region,
    AWS_DEFAULT_REGION: environment.region,
    SLIPWAY_ROLE_ARN: environment.roleArn,
    SLIPWAY_BUCKET: environment.bucket,
    SLIPWAY_ECR_REGISTRY: environment.ecrRegistry,
  };
}

/** `export NAME='value'` lines for `eval`, or one JSON object. */
export function printExports(values: Record<string, string>, json: boolean): void {
  const lines = Object.entries(values).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`);
  console.log(json ? JSON.stringify(values) : lines.join("\n"));
}
