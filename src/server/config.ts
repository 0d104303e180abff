import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { API_KEY_PATTERN } from "../store/api-keys.ts";
import type { S3FilesOptions } from "../store/s3-files.ts";

const MEBIBYTE = 1024 * 1024;

const bytes = (fallback: number) => z.coerce.number().int().positive().default(fallback);

/** Every setting of the server, by the name of its environment variable; each description says what it does. */
export const SERVER_SETTINGS = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgres:// or postgresql://")
    .optional()
    .describe("PostgreSQL to keep all state in. Without it: an SQLite file in the data directory, one server process."),
  SLIPWAY_DATA: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Directory of the database (SQLite), code archives, run files and logs, credentials.json, run/server.json. Without it: ~/.slipway.",
    ),
  SLIPWAY_FILES: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?$/, "must be s3://BUCKET or s3://BUCKET/PREFIX")
    .optional()
    .describe(
      "Bucket for code archives, run files and logs; clients send and fetch their files there by presigned addresses. Several server processes need it. Without it: the data directory.",
    ),
  SLIPWAY_FILES_S3_REGION: z
    .string()
    .min(1)
    .optional()
    .describe("Region of the bucket. Without it: AWS_REGION, AWS_DEFAULT_REGION, then us-east-1."),
  SLIPWAY_FILES_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Address of a service other than AWS that speaks the S3 protocol."),
  SLIPWAY_FILES_S3_PUBLIC_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Address at which clients and jobs reach that service, where it differs."),
  SLIPWAY_FILES_S3_ADDRESS_STYLE: z
    .enum(["path", "virtual-host"])
    .optional()
    .describe(
      "Where the bucket stands in its addresses: `path` (https://HOST/BUCKET/KEY) or `virtual-host` (https://BUCKET.HOST/KEY: the service needs a name for the bucket, and clients have to resolve it). Without it: `path` for a given endpoint, `virtual-host` for AWS.",
    ),
  SLIPWAY_FILES_S3_ACCESS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Access key for the bucket. Without it: what the AWS SDK finds (environment, profile, the machine's role).",
    ),
  SLIPWAY_FILES_S3_SECRET_ACCESS_KEY: z.string().min(1).optional().describe("The secret of that access key."),
  SLIPWAY_SIGNING_KEY: z
    .string()
    .min(32, "must have 32 or more characters")
    .optional()
    .describe(
      "Signs the addresses of files that lead to the server. Without it: a key in the data directory; several server processes without a common one need the same.",
    ),
  SLIPWAY_HOST: z.string().min(1).default("127.0.0.1").describe("Address to listen on; 0.0.0.0 for every interface."),
  SLIPWAY_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(8080)
    .describe("Port to listen on; 0 takes a free one."),
  SLIPWAY_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Address at which clients reach this server, where it differs from host and port (a proxy)."),
  SLIPWAY_ADMIN_USER: z.string().min(1).default("admin").describe("Name of the first user, made at the first start."),
  SLIPWAY_ADMIN_API_KEY: z
    .string()
    .regex(API_KEY_PATTERN, "must have 40 or more letters, digits, _ or -: the wandb client refuses other keys")
    .optional()
    .describe("API key of the first user; generated if absent."),
  SLIPWAY_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("The least severe log line that is written (JSON lines on stderr)."),
  SLIPWAY_GRAPHQL_MAX_BYTES: bytes(16 * MEBIBYTE).describe("Largest body of a GraphQL request."),
  SLIPWAY_GRAPHQL_MAX_DEPTH: z.coerce
    .number()
    .int()
    .min(4)
    .default(16)
    .describe("Deepest nesting of fields in one GraphQL operation."),
  SLIPWAY_GRAPHQL_MAX_COMPLEXITY: z.coerce
    .number()
    .int()
    .min(100)
    .default(50_000)
    .describe("Most fields one GraphQL operation may ask for; a field under a list counts once per requested element."),
  SLIPWAY_STREAM_MAX_BYTES: bytes(64 * MEBIBYTE).describe("Largest body of one file_stream request."),
  SLIPWAY_CODE_MAX_BYTES: bytes(1024 * MEBIBYTE).describe("Largest code archive."),
  SLIPWAY_FILE_MAX_BYTES: bytes(5 * 1024 * MEBIBYTE).describe(
    "Largest file of a run or an artifact. One that was sent straight to a bucket is removed from there when it is seen.",
  ),
  SLIPWAY_RUN_SILENCE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(300)
    .describe(
      "A run that was not heard of for so long has crashed (and runs again if it speaks). The wandb client speaks every 30 s, so less than a minute is of use in tests only.",
    ),
  SLIPWAY_UPLOAD_URL_MINUTES: z.coerce
    .number()
    .int()
    .positive()
    .default(60)
    .describe("How long the addresses are good that the API hands out to send and fetch files."),
  SLIPWAY_JOB_KEY_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .min(0)
    .default(900)
    .describe(
      "How long the API key of a job is good after the job's item has settled, for what its code sends last; 0 ends it at once.",
    ),
  SLIPWAY_WRONG_KEYS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe(
      "How many unknown API keys one address may present in a minute; more are answered 429 and not looked up. Keys that were good there lately are served on.",
    ),
  SLIPWAY_PLAIN_PROTOCOL: z
    .enum(["0", "1"])
    .default("0")
    .describe(
      "1: refuse everything in the API that Slipway adds to the wandb client's protocol. For tests, and to see what works while only some have moved.",
    ),
  SLIPWAY_ACKNOWLEDGE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe(
      "How long an agent of the wandb client may hold an item that it has not acknowledged; then it goes back to the queue.",
    ),
});

export interface ServerConfig {
  /** `postgres://...`; undefined: SQLite in the data directory. */
  readonly databaseUrl: string | undefined;
  /** Absolute path. */
  readonly dataDir: string;
  /** Undefined: in the data directory. */
  readonly s3Files: S3FilesOptions | undefined;
  /** Undefined: one that is kept in the data directory. */
  readonly signingKey: string | undefined;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Without a trailing slash; undefined: host and port. */
  readonly baseUrl: string | undefined;
  readonly adminUser: string;
  readonly adminApiKey: string | undefined;
  readonly logLevel: string;
  /** Speak only the wandb client's protocol. */
  readonly plainProtocol: boolean;
  readonly limits: ServerLimits;
}

/** Sizes in bytes. */
export interface ServerLimits {
  readonly graphqlBytes: number;
  readonly graphqlDepth: number;
  readonly graphqlComplexity: number;
  readonly streamBytes: number;
  readonly codeBytes: number;
  readonly fileBytes: number;
  readonly uploadUrlMinutes: number;
  readonly acknowledgeSeconds: number;
  readonly jobKeyGraceSeconds: number;
  readonly wrongKeysPerMinute: number;
  readonly runSilenceSeconds: number;
}

/**
 * Reads the server's settings from the environment; an empty variable counts as absent, overrides (the command line) win.
 * Throws SERVER_CONFIG_INVALID with one problem per wrong setting.
 */
export function readServerConfig(
  env: Readonly<Record<string, string | undefined>>,
  overrides: { readonly dataDir?: string; readonly port?: number; readonly host?: string } = {},
): ServerConfig {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(SERVER_SETTINGS.shape)) {
    if (env[name] !== undefined && env[name] !== "") given[name] = env[name];
  }
  if (overrides.dataDir !== undefined) given.SLIPWAY_DATA = overrides.dataDir;
  if (overrides.port !== undefined) given.SLIPWAY_PORT = overrides.port;
  if (overrides.host !== undefined) given.SLIPWAY_HOST = overrides.host;
  const parsed = SERVER_SETTINGS.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const effect = SERVER_SETTINGS.shape[name as keyof typeof SERVER_SETTINGS.shape]?.description;
      return { path: name, message: issue.message, ...(effect === undefined ? {} : { hint: effect }) };
    });
    throw new SlipwayError("SERVER_CONFIG_INVALID", { values: { count: problems.length }, problems });
  }
  const settings = parsed.data;
  return {
    databaseUrl: settings.DATABASE_URL,
    dataDir: resolve(settings.SLIPWAY_DATA ?? join(env.HOME ?? homedir(), ".slipway")),
    s3Files: s3FilesOf(settings, env),
    signingKey: settings.SLIPWAY_SIGNING_KEY,
    host: settings.SLIPWAY_HOST,
    port: settings.SLIPWAY_PORT,
    baseUrl: settings.SLIPWAY_BASE_URL?.replace(/\/+$/, ""),
    adminUser: settings.SLIPWAY_ADMIN_USER,
    adminApiKey: settings.SLIPWAY_ADMIN_API_KEY,
    logLevel: settings.SLIPWAY_LOG_LEVEL,
    plainProtocol: settings.SLIPWAY_PLAIN_PROTOCOL === "1",
    limits: {
      graphqlBytes: settings.SLIPWAY_GRAPHQL_MAX_BYTES,
      graphqlDepth: settings.SLIPWAY_GRAPHQL_MAX_DEPTH,
      graphqlComplexity: settings.SLIPWAY_GRAPHQL_MAX_COMPLEXITY,
      streamBytes: settings.SLIPWAY_STREAM_MAX_BYTES,
      codeBytes: settings.SLIPWAY_CODE_MAX_BYTES,
      fileBytes: settings.SLIPWAY_FILE_MAX_BYTES,
      uploadUrlMinutes: settings.SLIPWAY_UPLOAD_URL_MINUTES,
      acknowledgeSeconds: settings.SLIPWAY_ACKNOWLEDGE_SECONDS,
      jobKeyGraceSeconds: settings.SLIPWAY_JOB_KEY_GRACE_SECONDS,
      wrongKeysPerMinute: settings.SLIPWAY_WRONG_KEYS_PER_MINUTE,
      runSilenceSeconds: settings.SLIPWAY_RUN_SILENCE_SECONDS,
    },
  };
}

function s3FilesOf(
  settings: z.infer<typeof SERVER_SETTINGS>,
  env: Readonly<Record<string, string | undefined>>,
): S3FilesOptions | undefined {
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(settings.SLIPWAY_FILES ?? "") ?? [];
  if (bucket === undefined) return undefined;
  const {
    SLIPWAY_FILES_S3_REGION: region,
    SLIPWAY_FILES_S3_ENDPOINT: endpoint,
    SLIPWAY_FILES_S3_PUBLIC_ENDPOINT: publicEndpoint,
    SLIPWAY_FILES_S3_ADDRESS_STYLE: style,
    SLIPWAY_FILES_S3_ACCESS_KEY_ID: accessKeyId,
    SLIPWAY_FILES_S3_SECRET_ACCESS_KEY: secretAccessKey,
  } = settings;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const [given, missing] =
      accessKeyId === undefined
        ? ["SLIPWAY_FILES_S3_SECRET_ACCESS_KEY", "SLIPWAY_FILES_S3_ACCESS_KEY_ID"]
        : ["SLIPWAY_FILES_S3_ACCESS_KEY_ID", "SLIPWAY_FILES_S3_SECRET_ACCESS_KEY"];
    const problems = [{ path: missing, message: `is missing, but ${given} is set` }];
    throw new SlipwayError("SERVER_CONFIG_INVALID", { values: { count: 1 }, problems });
  }
  return {
    bucket,
    prefix: prefix.replace(/^\/+|\/+$/g, ""),
    region: region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1"),
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/+$/, "") }),
    ...(publicEndpoint === undefined ? {} : { publicEndpoint: publicEndpoint.replace(/\/+$/, "") }),
    ...(style === undefined ? {} : { style }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  };
}

/** Where the server keeps its small files, inside the data directory. */
export const serverFiles = (dataDir: string) => ({
  credentials: join(dataDir, "credentials.json"),
  running: join(dataDir, "run", "server.json"),
  /** Signs addresses of files. */
  secret: join(dataDir, "secret.key"),
  /** Code archives, run files, logs. */
  files: join(dataDir, "files"),
});
