import type { Readable } from "node:stream";
import type { Database } from "libsql";
import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import type { Permission, Verdict } from "./iam/authorize.ts";

/** Who signed a request: a user, a role's session, or the account itself. */
export interface Principal {
  readonly type: "root" | "user" | "assumed-role";
  readonly accountId: string;
  /** `arn:aws:iam::ACCOUNT:user/NAME`, `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` or `arn:aws:iam::ACCOUNT:root`. */
  readonly arn: string;
  /** As GetCallerIdentity gives it: `AIDA...`, `AROA...:SESSION`, or the account number. */
  readonly userId: string;
  readonly accessKeyId: string;
  /** User name (`user`) or role name (`assumed-role`); absent for `root`. */
  readonly name?: string;
  /** When the credentials end, in milliseconds since 1970; absent for a user's long-lived key. */
  readonly expiresAt?: number;
}

/** A request as it came over HTTP, before anyone has asked who sent it. */
export interface HttpRequest {
  readonly method: string;
  /** The path exactly as sent: still percent-encoded, without the query. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  /** Lower-case names; values of a repeated header are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Address of the sender. */
  readonly sourceIp: string;
  /** The Host header, with its port. */
  readonly host: string;
  readonly requestId: string;
  /** May be read once. For a signed request: chunk framing removed, signatures and checksums verified while it flows (a wrong one is an AwsError of the stream). */
  readonly body: Readable;
  /** The whole body. Throws an AwsError (RequestEntityTooLarge, 413) beyond `limit` bytes, 10 MiB unless told. */
  readBody(limit?: number): Promise<Buffer>;
  /** `http://HOST:PORT` by which the client reached us, without a slash at the end. */
  readonly baseUrl: string;
}

/** A request whose signature has been verified. */
export interface AwsRequest extends HttpRequest {
  /** The service of the credential scope: `sagemaker`, `s3`, ... */
  readonly service: string;
  /** The region of the credential scope. */
  readonly region: string;
  readonly accountId: string;
  readonly principal: Principal;
  /** Whether the sender may do something. */
  access(permission: Permission): Verdict;
  /** Trailing headers of an aws-chunked body (`x-amz-checksum-crc32`, ...), lower-case names; empty until the body has been read. */
  trailers(): Readonly<Record<string, string>>;
}

export interface AwsResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** A stream is sent as it comes and destroyed when the client goes away. */
  readonly body?: Buffer | string | Readable;
}

/** One AWS service behind the gateway. */
export interface AwsService {
  /** The service name of the credential scope that it answers for: sagemaker, s3, ecr, logs, sts, iam. */
  readonly scope: string;
  /** How an error that happens before `handle` (no signature, wrong signature) is rendered for this service's clients. */
  readonly protocol: "json" | "query" | "rest-xml";
  /** Answers a request. May throw AwsError, which the gateway renders by `protocol`; anything else becomes a 500. */
  handle(request: AwsRequest): Promise<AwsResponse>;
  /** Called when the gateway stops, after the last request has been answered. */
  close?(): Promise<void>;
}

/** Plain HTTP paths of the same port that do their own authentication (the image registry, container credentials). */
export interface HttpRoutes {
  matches(method: string, rawPath: string): boolean;
  handle(request: HttpRequest): Promise<AwsResponse>;
}

/** An error as AWS answers it. Each protocol renders it in its own way. */
export class AwsError extends Error {
  /** `ValidationException`, `NoSuchKey`, ... */
  readonly code: string;
  /** HTTP status. */
  readonly status: number;
  /** Further members of the error document (`Key`, `BucketName`, `resourceId`, ...). */
  readonly details: Readonly<Record<string, string>>;

  constructor(code: string, message: string, status = 400, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "AwsError";
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** What every service of the local AWS is given. */
export interface LocalAwsContext {
  /** `DATA/local-aws/local-aws.db`: WAL, synchronous FULL, this process is the only writer. */
  readonly db: Database;
  /** `DATA/local-aws`. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accountId: string;
  readonly region: string;
  /** `http://127.0.0.1:PORT`; only known once the gateway listens. */
  baseUrl(): string;
}
