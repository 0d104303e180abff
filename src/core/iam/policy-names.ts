import { elementPath, memberPath } from "../json-path.ts";
import type { Patterns, PolicyKind } from "./policy.ts";
import type { Problems } from "./problems.ts";

const IAM_PATHS = [
  "user/",
  "federated-user/",
  "role/",
  "group/",
  "instance-profile/",
  "mfa/",
  "server-certificate/",
  "policy/",
  "sms-mfa/",
  "saml-provider/",
  "oidc-provider/",
  "report/",
  "access-report/",
];

/** Finds action names that AWS does not take. */
export function checkActions(actions: Patterns, statementPath: string, kind: PolicyKind, problems: Problems): void {
  eachPattern(actions, statementPath, "Action", (action, path) => {
    if (action === "*") return;
    const [vendor, name, ...rest] = action.split(":");
    if (name === undefined || rest.length > 0) {
      problems.add(
        path,
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        `"${action}" does not have the form service:Operation`,
        name === undefined ? `write "service:${action}"` : "write one colon",
        action,
      );
    } else if (!/^[A-Za-z0-9][\w-]*$/.test(vendor!)) {
      problems.add(
        path,
        `Vendor ${vendor} is not valid`,
        `"${vendor}" is no service`,
        'name the service in full, without wildcards: "s3:Get*"',
        action,
      );
    } else if (!/^[\w*?-]+$/.test(name)) {
      problems.add(
        path,
        "The policy failed legacy parsing",
        `"${name}" is no name of an operation`,
        "use letters, digits, * and ? only",
        action,
      );
    } else if (kind === "trust" && vendor!.toLowerCase() !== "sts") {
      problems.add(
        path,
        "AssumeRole policy may only specify STS AssumeRole actions.",
        `"${action}" is no way to assume a role`,
        'write "sts:AssumeRole"; what the role may do stands in its other policies',
        action,
      );
    }
  });
}

/** Finds resources that AWS does not take. */
export function checkResources(resources: Patterns, statementPath: string, problems: Problems): void {
  eachPattern(resources, statementPath, "Resource", (resource, path) => {
    const found = resourceProblem(resource);
    if (found !== undefined) problems.add(path, found.aws, found.message, found.cure, resource);
  });
}

function resourceProblem(resource: string): { aws: string; message: string; cure: string } | undefined {
  if (resource === "*") return undefined;
  if (!resource.startsWith("arn:")) {
    const aws = `Resource ${resource} must be in ARN format or "*".`;
    return {
      aws,
      message: `"${resource}" is no ARN`,
      cure: 'write arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, or "*"',
    };
  }
  // A variable may hold a colon: ${aws:username}.
  const parts = resource.replace(/\$\{[^}]*\}/g, "x").split(":");
  if (parts.length < 6) {
    const message = `"${resource}" has ${parts.length} of an ARN's six parts`;
    return {
      aws: "The policy failed legacy parsing",
      message,
      cure: "write arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE",
    };
  }
  const [, partition = "", service = "", region = "", , ...rest] = parts;
  const path = rest.join(":");
  if (!/^(aws(-[a-z]+)*|\*)$/.test(partition)) {
    const aws = `Partition "${partition}" is not valid for resource "${resource}".`;
    return { aws, message: `"${partition}" is no partition`, cure: "write aws, aws-cn or aws-us-gov" };
  }
  if (!/^[\w-]+$/.test(service) && service !== "*") {
    const aws = "Resource vendor must be fully qualified and cannot contain regexes.";
    return { aws, message: `"${service}" is no service`, cure: "name the service in full, without wildcards" };
  }
  if (service === "iam" && region !== "") {
    const aws = `IAM resource ${resource} cannot contain region information.`;
    return { aws, message: "IAM has no regions", cure: `leave "${region}" out: arn:aws:iam::ACCOUNT:...` };
  }
  if (
    service === "s3" &&
    path !== "" &&
    region !== "" &&
    region !== "*" &&
    !/^(accesspoint|job|storage-lens)/.test(path)
  ) {
    const aws = `Resource ${resource} can not contain region information.`;
    return { aws, message: "the ARNs of buckets have no region", cure: "write arn:aws:s3:::BUCKET/*" };
  }
  if (service === "iam" && path !== "*" && !/^[*?x]/.test(path) && !IAM_PATHS.some((start) => path.startsWith(start))) {
    const aws = `IAM resource path must either be "*" or start with ${IAM_PATHS.join(", ")}.`;
    return { aws, message: `"${path}" is nothing of IAM`, cure: "write role/NAME, user/NAME or policy/NAME" };
  }
  return undefined;
}

function eachPattern(
  { not, patterns }: Patterns,
  statementPath: string,
  key: string,
  check: (pattern: string, path: string) => void,
): void {
  const place = memberPath(statementPath, not ? `Not${key}` : key);
  patterns.forEach((pattern, index) => {
    check(pattern, patterns.length === 1 ? place : elementPath(place, index));
  });
}
