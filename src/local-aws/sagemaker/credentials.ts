import { timingSafeEqual } from "node:crypto";
import type { HttpRoutes } from "../service.ts";
import type { JobStore } from "./job-store.ts";
import type { ExecutionRoles } from "./ports.ts";

const PREFIX = "/container-credentials/";
const SESSION_SECONDS = 3600;

/**
 * The credentials of training jobs, by the SDKs' container credential provider: the address is in the container's
 * AWS_CONTAINER_CREDENTIALS_FULL_URI, the secret in AWS_CONTAINER_AUTHORIZATION_TOKEN. Every answer is a fresh session of the job's role.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
export function createContainerCredentials(jobs: JobStore, roles: ExecutionRoles): HttpRoutes {
  return {
    matches: (method, rawPath) => method === "GET" && rawPath.startsWith(PREFIX),
    async handle(request) {
      const job = jobs.get(decodeURIComponent(request.rawPath.slice(PREFIX.length)));
      const running = job !== undefined && (job.status === "InProgress" || job.status === "Stopping");
      if (!running || !same(request.headers.authorization ?? "", job.run.token)) {
        return json(403, { code: "AccessDenied", message: "No running training job has this token" });
      }
      const session = roles.session(job.request.RoleArn, "SageMaker", SESSION_SECONDS);
      return json(200, {
        RoleArn: job.request.RoleArn,
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        Token: session.sessionToken,
        Expiration: new Date(session.expiresAt).toISOString().replace(/\.\d{3}Z$/, "Z"),
      });
    },
  };
}

/** What a container's environment says about its credentials. */
export function credentialEnvironment(baseUrl: string, jobName: string, token: string): Record<string, string> {
  return {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${baseUrl}${PREFIX}${jobName}`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
    AWS_ENDPOINT_URL: baseUrl,
  };
}

function same(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

function json(status: number, body: object) {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
