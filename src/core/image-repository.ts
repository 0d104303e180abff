/** A repository of Amazon ECR. */
export interface EcrRepository {
  /** `123456789012.dkr.ecr.us-east-1.amazonaws.com` */
  readonly registryHost: string;
  /** `team/training` */
  readonly repository: string;
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, ... */
  readonly partition: string;
}

/** `HOST/REPOSITORY`, without a tag. */
export function ecrRepositoryUri(repository: EcrRepository): string {
  return `${repository.registryHost}/${repository.repository}`;
}

/** The DNS suffix of each partition's services (partitions.json of the AWS SDKs). */
const DNS_SUFFIXES: Readonly<Record<string, string>> = {
  aws: "amazonaws.com",
  "aws-cn": "amazonaws.com.cn",
  "aws-us-gov": "amazonaws.com",
  "aws-iso": "c2s.ic.gov",
  "aws-iso-b": "sc2s.sgov.gov",
  "aws-iso-e": "cloud.adc-e.uk",
  "aws-iso-f": "csp.hci.ic.gov",
  "aws-eusc": "amazonaws.eu",
};

/** The DNS suffix of a partition's services, `amazonaws.com` where the partition is not known. */
export function dnsSuffixOf(partition: string): string {
  return DNS_SUFFIXES[partition] ?? "amazonaws.com";
}

/** The partition that a region's name belongs to, by its prefix. */
export function partitionOfRegion(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  if (region.startsWith("us-gov-")) return "aws-us-gov";
  if (region.startsWith("us-iso-")) return "aws-iso";
  if (region.startsWith("us-isob-")) return "aws-iso-b";
  if (region.startsWith("eu-isoe-")) return "aws-iso-e";
  if (region.startsWith("us-isof-")) return "aws-iso-f";
  if (region.startsWith("eusc-")) return "aws-eusc";
  return "aws";
}

const HOST = /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.(.+)$/;
const ARN = /^arn:([a-z-]+):ecr:([a-z0-9-]+):(\d{12}):repository\/(.+)$/;
/** ECR's own rule for the name of a repository (CreateRepository), 2 to 256 characters. */
const NAME = /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/** The region of an ECR registry's host; undefined for any other host. */
export function ecrRegion(host: string): string | undefined {
  return HOST.exec(host)?.[2];
}

/**
 * Reads a repository from its URI (`ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`, with or without `https://`) or its ARN
 * (`arn:aws:ecr:REGION:ACCOUNT:repository/NAME`), in any partition. Answers a sentence where that is impossible.
 */
export function parseEcrRepository(text: string): EcrRepository | { readonly problem: string; readonly hint?: string } {
  const uri = text.trim().replace(/^https?:\/\//, "");
  if (uri.startsWith("arn:")) {
    const match = ARN.exec(uri);
    if (!match)
      return {
        problem: `"${text}" is not the ARN of an ECR repository`,
        hint: "An ARN of a repository reads arn:aws:ecr:REGION:ACCOUNT:repository/NAME.",
      };
    return ecrRepository({ accountId: match[3]!, region: match[2]!, repository: match[4]!, partition: match[1]! });
  }
  const slash = uri.indexOf("/");
  const host = slash < 0 ? uri : uri.slice(0, slash);
  const name = slash < 0 ? "" : uri.slice(slash + 1).replace(/\/+$/, "");
  const match = HOST.exec(host);
  if (!match)
    return {
      problem: `"${text}" is not an ECR repository`,
      hint: "Write ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME or the repository's ARN.",
    };
  if (name === "")
    return { problem: `"${text}" names a registry but no repository`, hint: `Add the repository: ${host}/NAME.` };
  if (/[:@]/.test(name))
    return {
      problem: `"${text}" carries a tag`,
      hint: `Leave the tag away: ${host}/${name.split(/[:@]/)[0]}. Images are tagged by their content.`,
    };
  return ecrRepository({ accountId: match[1]!, region: match[2]!, repository: name });
}

/** The repository of an account and region; the partition follows from the region unless it is given. */
export function ecrRepository(parts: {
  readonly accountId: string;
  readonly region: string;
  readonly repository: string;
  readonly partition?: string;
}): EcrRepository | { readonly problem: string; readonly hint?: string } {
  const partition = parts.partition ?? partitionOfRegion(parts.region);
  const suffix = DNS_SUFFIXES[partition];
  if (suffix === undefined)
    return {
      problem: `"${partition}" is not an AWS partition`,
      hint: `The partitions are ${Object.keys(DNS_SUFFIXES).join(", ")}.`,
    };
  if (!/^\d{12}$/.test(parts.accountId))
    return {
      problem: `"${parts.accountId}" is not an AWS account`,
      hint: "An account id has twelve digits; quote it in YAML.",
    };
  if (parts.repository.length < 2 || parts.repository.length > 256 || !NAME.test(parts.repository))
    return {
      problem: `"${parts.repository}" is not a name that ECR allows`,
      hint: "A repository's name has 2 to 256 lower-case letters, digits and . _ - / between them.",
    };
  return {
    registryHost: `${parts.accountId}.dkr.ecr.${parts.region}.${suffix}`,
    repository: parts.repository,
    region: parts.region,
    accountId: parts.accountId,
    partition,
  };
}
