import { type Access, deniedText, requestKeys } from "../../iam/authorize.ts";
import type { AwsResponse, HttpRequest, HttpRoutes, LocalAwsContext } from "../../service.ts";
import type { Ecr } from "../ecr.ts";
import { parseRegistryHost, REPOSITORY_NAME } from "../names.ts";
import { pageOf } from "../paging.ts";
import { type Repository, repositoryArn } from "../repositories.ts";
import type { TokenClaims } from "../tokens.ts";
import { blobRoute, uploadRoute } from "./blobs.ts";
import { RegistryError, renderRegistryError } from "./errors.ts";
import { manifestRoute } from "./manifests.ts";

/** Refuses (403, DENIED) unless the sender may do an operation on a repository. */
type Check = (operation: string, resource: string) => void;

/** A request to one repository, whose sender is known. */
export interface RegistryCall {
  readonly ecr: Ecr;
  readonly request: HttpRequest;
  readonly repository: Repository;
  /** Refuses (403, DENIED) unless the sender may do this on the repository: `BatchGetImage`. */
  allow(action: string): void;
  /** Another repository of the same registry that the sender may read, undefined when there is none. */
  sibling(name: string): Repository | undefined;
}

/**
 * The OCI distribution protocol under `/v2/`, as ECR speaks it: basic authentication with user AWS and a password of GetAuthorizationToken;
 * repositories are made by CreateRepository, never by a push. The registry's account and region are those of the Host
 * (`ACCOUNT.dkr.ecr.REGION.amazonaws.com`); at any other host name, those of the password.
 */
export function createRegistryRoutes(context: LocalAwsContext, ecr: Ecr, access: Access): HttpRoutes {
  return {
    matches: (_method, rawPath) => rawPath === "/v2" || rawPath.startsWith("/v2/"),
    handle: async (request) => {
      const headers = { "docker-distribution-api-version": "registry/2.0" };
      try {
        const answer = await route(ecr, access, request);
        return { ...answer, headers: { ...headers, ...answer.headers } };
      } catch (error) {
        const answer = renderRegistryError(error);
        if (!answer) {
          context.logger.error(
            { err: error, requestId: request.requestId, path: request.rawPath },
            "image registry: request failed",
          );
          throw error;
        }
        return { ...answer, headers: { ...headers, ...answer.headers } };
      }
    },
  };
}

async function route(ecr: Ecr, access: Access, request: HttpRequest): Promise<AwsResponse> {
  const path = decodeURIComponent(request.rawPath);
  const download = downloadRoute(ecr, request, path);
  if (download) return download;
  const claims = authenticate(ecr, request);
  const decide = (operation: string, resource: string) => {
    const permission = { action: `ecr:${operation}`, resource };
    return { permission, verdict: access.decide(claims.principal, permission, requestKeys(request, claims.region)) };
  };
  const isAllowed = (operation: string, resource: string) => decide(operation, resource).verdict.allowed;
  const check: Check = (operation, resource) => {
    const { permission, verdict } = decide(operation, resource);
    if (!verdict.allowed)
      throw new RegistryError(403, "DENIED", deniedText(claims.principal, permission, verdict.reason));
  };
  if (path === "/v2" || path === "/v2/")
    return { status: 200, headers: { "content-type": "application/json" }, body: "{}" };
  if (path === "/v2/_catalog") return catalog(ecr, request, claims, check);

  const match = /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(path);
  const [, name = "", kind, rest = ""] = match ?? [];
  if (!match || !REPOSITORY_NAME.test(name))
    throw new RegistryError(404, "NAME_INVALID", "The path names no repository");
  const repository = ecr.repositories.get(claims, name);
  const call: RegistryCall = {
    ecr,
    request,
    repository,
    allow: (action) => check(action, repositoryArn(repository)),
    sibling: (name) => {
      const other = ecr.repositories.find(claims, name);
      return other !== undefined && isAllowed("GetDownloadUrlForLayer", repositoryArn(other)) ? other : undefined;
    },
  };
  if (kind === "manifests") return manifestRoute(call, rest);
  if (kind === "tags" && rest === "list") return tagList(call);
  if (kind === "blobs") {
    const upload = /^uploads(?:\/(.*))?$/.exec(rest);
    return upload ? uploadRoute(call, upload[1] ?? "") : blobRoute(call, rest);
  }
  throw new RegistryError(404, "UNSUPPORTED", "The path is none of the registry protocol");
}

function authenticate(ecr: Ecr, request: HttpRequest): TokenClaims {
  const challenge = {
    "www-authenticate": `Basic realm="${request.baseUrl}/",service="ecr.amazonaws.com"`,
  };
  const [scheme, encoded] = (request.headers.authorization ?? "").split(" ");
  if (scheme?.toLowerCase() !== "basic" || encoded === undefined)
    throw new RegistryError(401, "UNAUTHORIZED", "Not Authorized", challenge);
  const [user, ...password] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  const claims = user === "AWS" ? ecr.tokens.verify(password.join(":")) : undefined;
  if (claims === undefined) throw new RegistryError(401, "UNAUTHORIZED", "Not Authorized", challenge);
  if (claims === "expired")
    throw new RegistryError(
      401,
      "DENIED",
      "Your authorization token has expired. Reauthenticate and try again.",
      challenge,
    );
  const named = parseRegistryHost(request.host);
  if (named && (named.accountId !== claims.accountId || named.region !== claims.region))
    throw new RegistryError(
      403,
      "DENIED",
      `The authorization token is for the registry of account ${claims.accountId} in ${claims.region}`,
    );
  return claims;
}

/** An address of GetDownloadUrlForLayer: no password, a right of its own. */
function downloadRoute(ecr: Ecr, request: HttpRequest, path: string): Promise<AwsResponse> | undefined {
  const ticket = request.query.get("download");
  const match = /^\/v2\/(.+)\/blobs\/(sha256:[a-f0-9]{64})$/.exec(path);
  if (ticket === null || !match) return undefined;
  const right = ecr.tokens.verifyDownload(ticket);
  const repository = right && ecr.repositories.byId(right.repositoryId);
  if (!repository || right.digest !== match[2] || repository.name !== match[1])
    throw new RegistryError(403, "DENIED", "The download address is not valid or not valid any more");
  return blobRoute({ ecr, request, repository, allow: () => undefined, sibling: () => undefined }, right.digest);
}

function tagList(call: RegistryCall): AwsResponse {
  if (call.request.method !== "GET") throw new RegistryError(405, "UNSUPPORTED", "Tags are listed with GET");
  call.allow("ListImages");
  const { repository, request, ecr } = call;
  const page = paged(ecr.images.tags(repository), request);
  return json({ name: repository.name, tags: page.items }, link(request, page.last));
}

function catalog(ecr: Ecr, request: HttpRequest, claims: TokenClaims, check: Check): AwsResponse {
  if (request.method !== "GET") throw new RegistryError(405, "UNSUPPORTED", "The catalog is read with GET");
  check("DescribeRepositories", `arn:aws:ecr:${claims.region}:${claims.accountId}:repository/*`);
  const names = ecr.repositories.list(claims).map(({ name }) => name);
  const page = paged(names, request);
  return json({ repositories: page.items }, link(request, page.last));
}

/** `?n=` and `?last=` of the specification. */
function paged(all: readonly string[], request: HttpRequest): { items: readonly string[]; last: string | undefined } {
  const size = request.query.get("n");
  if (size !== null && !/^\d+$/.test(size))
    throw new RegistryError(400, "PAGINATION_NUMBER_INVALID", "n must be a whole number");
  const last = request.query.get("last");
  const token = last === null ? undefined : Buffer.from(last).toString("base64url");
  const page = pageOf(all, (name) => name, token, Math.min(Number(size ?? 1000), 1000));
  return { items: page.items, last: page.nextToken === undefined ? undefined : page.items.at(-1) };
}

function link(request: HttpRequest, last: string | undefined): Record<string, string> {
  if (last === undefined) return {};
  const query = new URLSearchParams({ last, n: request.query.get("n") ?? "1000" });
  return { link: `<${request.rawPath}?${query}>; rel="next"` };
}

function json(value: object, headers: Record<string, string>): AwsResponse {
  return { status: 200, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}
