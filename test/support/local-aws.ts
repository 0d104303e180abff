import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Clock } from "../../src/core/clock.ts";
import { readLocalAwsConfig } from "../../src/local-aws/config.ts";
import type { LocalAwsEnvironment } from "../../src/local-aws/first-start.ts";
import { startLocalAws } from "../../src/local-aws/start.ts";

export interface TestLocalAws {
  readonly url: string;
  /** The data directory; the local AWS keeps its state in `local-aws` under it. */
  readonly dataDir: string;
  readonly environment: LocalAwsEnvironment;
  /** For an AWS SDK for JavaScript client: `new S3Client(aws.client)`. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** For a child process (boto3, the aws CLI): nothing of this process's own AWS settings gets through. */
  readonly env: NodeJS.ProcessEnv;
  /** Ends it and starts it again on the same data; the port may change. */
  restart(): Promise<TestLocalAws>;
  /** Ends it and removes its data directory. */
  close(): Promise<void>;
}

export interface TestLocalAwsOptions {
  readonly dataDir?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Settings by their environment names (`SLIPWAY_LOCAL_AWS_RUNTIME`, ...). */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Starts a local AWS in this process: its own data directory under the system's temporary one, a free port. */
export async function startTestLocalAws(options: TestLocalAwsOptions = {}): Promise<TestLocalAws> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "slipway-local-aws-")));
  const running = await startLocalAws(readLocalAwsConfig(options.settings ?? {}, { dataDir, port: 0 }), {
    logger: options.logger ?? pino({ level: "error" }, pino.destination(2)),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const { environment } = running;
  return {
    url: running.url,
    dataDir,
    environment,
    client: {
      endpoint: running.url,
      region: environment.region,
      credentials: { accessKeyId: environment.accessKeyId, secretAccessKey: environment.secretAccessKey },
    },
    env: clientEnv(environment),
    restart: async () => {
      await running.close();
      return startTestLocalAws({ ...options, dataDir });
    },
    close: async () => {
      await running.close();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The environment of a client program: this process's, without its own AWS settings, pointed at the local AWS. */
export function clientEnv(environment: LocalAwsEnvironment): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
  return {
    ...inherited,
    AWS_ENDPOINT_URL: environment.endpointUrl,
    AWS_ACCESS_KEY_ID: environment.accessKeyId,
    AWS_SECRET_ACCESS_KEY: environment.secretAccessKey,
    AWS_REGION: environment.region,
    AWS_DEFAULT_REGION: environment.region,
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_PAGER: "",
  };
}
