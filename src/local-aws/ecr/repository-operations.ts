import { readPolicy } from "../../core/iam/read-policy.ts";
import type { JsonObject } from "../../core/json.ts";
import type { JsonOperation } from "../json-protocol.ts";
import type { AwsRequest } from "../service.ts";
import type { Ecr } from "./ecr.ts";
import { invalidParameter, policyNotFound, repositoryNotEmpty } from "./errors.ts";
import {
  objectsOf,
  oneOf,
  optionalBoolean,
  optionalInteger,
  optionalObject,
  optionalString,
  optionalStrings,
  stringOf,
} from "./input.ts";
import type { RegistryScope } from "./names.ts";
import { pageOf } from "./paging.ts";
import {
  type ExclusionFilter,
  type Repository,
  repositoryArn,
  repositoryUri,
  type TagMutability,
} from "./repositories.ts";

const MUTABILITIES: readonly TagMutability[] = [
  "MUTABLE",
  "IMMUTABLE",
  "MUTABLE_WITH_EXCLUSION",
  "IMMUTABLE_WITH_EXCLUSION",
];

/** The registry that a request speaks of: `registryId`, or the caller's own, in the region of its signature. */
export function scopeOf(input: JsonObject, request: AwsRequest): RegistryScope {
  const accountId = optionalString(input, "registryId") ?? request.accountId;
  if (!/^\d{12}$/.test(accountId)) throw invalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'");
  return { accountId, region: request.region };
}

/** The repository that a request names. Throws RepositoryNotFoundException. */
export function repositoryOf(ecr: Ecr, input: JsonObject, request: AwsRequest): Repository {
  return ecr.repositories.get(scopeOf(input, request), stringOf(input, "repositoryName"));
}

/** CreateRepository to tags: everything about repositories but their content. */
export function repositoryOperations(ecr: Ecr): Record<string, JsonOperation> {
  const { repositories } = ecr;
  const named = (input: JsonObject, request: AwsRequest) => repositoryOf(ecr, input, request);
  const byArn = (input: JsonObject, request: AwsRequest) => {
    const arn = stringOf(input, "resourceArn");
    const match = /^arn:aws[a-z-]*:ecr:([a-z0-9-]+):(\d{12}):repository\/(.+)$/.exec(arn);
    if (!match || match[1] !== request.region)
      throw invalidParameter("resourceArn", "must be the ARN of a repository of this region");
    return repositories.get({ accountId: match[2]!, region: match[1] }, match[3]!);
  };

  return {
    CreateRepository: (input, request) => {
      const made = repositories.create(scopeOf(input, request), stringOf(input, "repositoryName"), {
        ...mutabilityOf(input),
        scanOnPush: optionalBoolean(optionalObject(input, "imageScanningConfiguration") ?? {}, "scanOnPush"),
        encryption: encryptionOf(input),
        tags: tagsOf(input),
      });
      return { repository: describe(made) };
    },

    DescribeRepositories: (input, request) => {
      const scope = scopeOf(input, request);
      const names = optionalStrings(input, "repositoryNames", 100);
      if (names !== undefined && names.length > 0)
        return { repositories: names.map((name) => describe(repositories.get(scope, name))) };
      const page = pageOf(
        repositories.list(scope),
        ({ name }) => name,
        optionalString(input, "nextToken"),
        optionalInteger(input, "maxResults", 1, 1000) ?? 100,
      );
      return { repositories: page.items.map(describe), ...next(page.nextToken) };
    },

    DeleteRepository: (input, request) => {
      const repository = named(input, request);
      if (!optionalBoolean(input, "force") && ecr.images.list(repository).length > 0)
        throw repositoryNotEmpty(repository.name, repository.accountId);
      repositories.delete(repository);
      ecr.garbage.maybeCollect();
      return { repository: describe(repository) };
    },

    PutImageTagMutability: (input, request) => {
      const repository = named(input, request);
      stringOf(input, "imageTagMutability");
      const settings = mutabilityOf(input);
      repositories.update(repository, settings);
      return {
        ...identity(repository),
        imageTagMutability: settings.mutability,
        ...(settings.exclusions.length > 0 ? { imageTagMutabilityExclusionFilters: settings.exclusions } : {}),
      };
    },

    PutImageScanningConfiguration: (input, request) => {
      const repository = named(input, request);
      const scanOnPush = optionalBoolean(optionalObject(input, "imageScanningConfiguration") ?? {}, "scanOnPush");
      repositories.update(repository, { scanOnPush });
      return { ...identity(repository), imageScanningConfiguration: { scanOnPush } };
    },

    SetRepositoryPolicy: (input, request) => {
      const repository = named(input, request);
      const policy = jsonText(input, "policyText");
      if (readPolicy(policy, "resource").policy === undefined)
        throw invalidParameter("PolicyText", "Invalid repository policy provided");
      repositories.update(repository, { policy });
      return { ...identity(repository), policyText: policy };
    },

    GetRepositoryPolicy: (input, request) => {
      const repository = named(input, request);
      if (repository.policy === undefined) throw policyNotFound("Repository", repository.name, repository.accountId);
      return { ...identity(repository), policyText: repository.policy };
    },

    DeleteRepositoryPolicy: (input, request) => {
      const { policy, ...repository } = named(input, request);
      if (policy === undefined) throw policyNotFound("Repository", repository.name, repository.accountId);
      repositories.update({ ...repository, policy: undefined }, {});
      return { registryId: repository.accountId, repositoryName: repository.name, policyText: policy };
    },

    PutLifecyclePolicy: (input, request) => {
      const repository = named(input, request);
      const lifecycle = jsonText(input, "lifecyclePolicyText");
      repositories.update(repository, { lifecycle });
      return { ...identity(repository), lifecyclePolicyText: lifecycle };
    },

    GetLifecyclePolicy: (input, request) => {
      const repository = named(input, request);
      if (repository.lifecycle === undefined) throw policyNotFound("Lifecycle", repository.name, repository.accountId);
      return { ...identity(repository), lifecyclePolicyText: repository.lifecycle };
    },

    DeleteLifecyclePolicy: (input, request) => {
      const { lifecycle, ...repository } = named(input, request);
      if (lifecycle === undefined) throw policyNotFound("Lifecycle", repository.name, repository.accountId);
      repositories.update({ ...repository, lifecycle: undefined }, {});
      return { registryId: repository.accountId, repositoryName: repository.name, lifecyclePolicyText: lifecycle };
    },

    TagResource: (input, request) => {
      const repository = byArn(input, request);
      repositories.update(repository, { tags: { ...repository.tags, ...tagsOf(input) } });
      return {};
    },

    UntagResource: (input, request) => {
      const repository = byArn(input, request);
      const gone = new Set(optionalStrings(input, "tagKeys", 200) ?? []);
      repositories.update(repository, {
        tags: Object.fromEntries(Object.entries(repository.tags).filter(([key]) => !gone.has(key))),
      });
      return {};
    },

    ListTagsForResource: (input, request) => ({
      tags: Object.entries(byArn(input, request).tags).map(([Key, Value]) => ({ Key, Value })),
    }),
  };
}

/** `nextToken`, where there is a further page. */
export function next(token: string | undefined): { nextToken?: string } {
  return token === undefined ? {} : { nextToken: token };
}

/** The two members that most answers begin with. */
export function identity(repository: Repository): { registryId: string; repositoryName: string } {
  return { registryId: repository.accountId, repositoryName: repository.name };
}

function describe(repository: Repository): object {
  return {
    repositoryArn: repositoryArn(repository),
    ...identity(repository),
    repositoryUri: repositoryUri(repository),
    createdAt: repository.createdAt / 1000,
    imageTagMutability: repository.mutability,
    ...(repository.exclusions.length > 0 ? { imageTagMutabilityExclusionFilters: repository.exclusions } : {}),
    imageScanningConfiguration: { scanOnPush: repository.scanOnPush },
    encryptionConfiguration: repository.encryption,
  };
}

function mutabilityOf(input: JsonObject): { mutability: TagMutability; exclusions: readonly ExclusionFilter[] } {
  const mutability = oneOf(
    "imageTagMutability",
    optionalString(input, "imageTagMutability") ?? "MUTABLE",
    MUTABILITIES,
  );
  const filters = objectsOf(input, "imageTagMutabilityExclusionFilters", 5) ?? [];
  if (mutability.endsWith("_WITH_EXCLUSION") !== filters.length > 0)
    throw invalidParameter(
      "imageTagMutabilityExclusionFilters",
      "must be given with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION, and only with them",
    );
  const exclusions = filters.map(
    (filter): ExclusionFilter => ({
      filterType: oneOf("filterType", stringOf(filter, "filterType"), ["WILDCARD"]),
      filter: stringOf(filter, "filter"),
    }),
  );
  return { mutability, exclusions };
}

function encryptionOf(input: JsonObject): Record<string, string> {
  const given = optionalObject(input, "encryptionConfiguration");
  if (!given) return { encryptionType: "AES256" };
  const encryptionType = oneOf("encryptionType", stringOf(given, "encryptionType"), ["AES256", "KMS", "KMS_DSSE"]);
  const kmsKey = optionalString(given, "kmsKey");
  return { encryptionType, ...(kmsKey === undefined ? {} : { kmsKey }) };
}

function tagsOf(input: JsonObject): Record<string, string> {
  const entries = (objectsOf(input, "tags", 50) ?? []).map((tag) => [stringOf(tag, "Key"), stringOf(tag, "Value")]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function jsonText(input: JsonObject, name: string): string {
  const text = stringOf(input, name);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return text;
  } catch {
    // Falls through: not JSON at all.
  }
  throw invalidParameter(name, "must be a JSON document");
}
