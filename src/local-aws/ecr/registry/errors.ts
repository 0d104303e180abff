import { AwsError, type AwsResponse } from "../../service.ts";

/** An answer of the registry protocol that is not a success. Codes: OCI distribution specification, "Error Codes". */
export class RegistryError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** How ECR's own errors look to a registry client. */
const FROM_ECR: Readonly<Record<string, readonly [status: number, code: string]>> = {
  RepositoryNotFoundException: [404, "NAME_UNKNOWN"],
  InvalidParameterException: [400, "MANIFEST_INVALID"],
  ImageTagAlreadyExistsException: [400, "TAG_INVALID"],
  LayersNotFoundException: [404, "MANIFEST_BLOB_UNKNOWN"],
  ReferencedImagesNotFoundException: [404, "MANIFEST_UNKNOWN"],
  ImageDigestDoesNotMatchException: [400, "DIGEST_INVALID"],
  RequestEntityTooLarge: [413, "SIZE_INVALID"],
};

/** Renders what a route threw; undefined for what is nobody's fault but ours. */
export function renderRegistryError(error: unknown): AwsResponse | undefined {
  if (error instanceof RegistryError) return render(error.status, error.code, error.message, error.headers);
  if (error instanceof AwsError) {
    const [status, code] = FROM_ECR[error.code] ?? [error.status, "UNSUPPORTED"];
    return render(status, code, error.message, {});
  }
  return undefined;
}

function render(status: number, code: string, message: string, headers: Readonly<Record<string, string>>): AwsResponse {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: JSON.stringify({ errors: [{ code, message, detail: null }] }),
  };
}
