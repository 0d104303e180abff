import { isJsonObject, type JsonValue } from "../json.ts";
import { memberPath } from "../json-path.ts";
import { nearest } from "../nearest.ts";
import { parseArn } from "./arn.ts";
import { type Problems, SYNTAX } from "./problems.ts";

const KINDS = ["AWS", "Service", "Federated", "CanonicalUser"];

/** Reads `Principal` or `NotPrincipal`: `"*"`, or lists of names by kind. */
export function readPrincipals(value: JsonValue, path: string, problems: Problems): Record<string, string[]> {
  if (value === "*") return { AWS: ["*"] };
  if (!isJsonObject(value)) {
    problems.add(
      path,
      "Invalid principal in policy.",
      'a principal is an object, or everyone: "*"',
      'write {"AWS": "ARN"} or {"Service": "sagemaker.amazonaws.com"}',
      value,
    );
    return {};
  }
  const byKind: Record<string, string[]> = {};
  for (const [kind, given] of Object.entries(value)) {
    const place = memberPath(path, kind);
    if (!KINDS.includes(kind)) {
      const near = nearest(kind, KINDS);
      problems.add(place, SYNTAX, `"${kind}" is no kind of principal`, `write ${near ?? KINDS.join(", ")}`, given);
      continue;
    }
    const names = Array.isArray(given) ? (given as readonly JsonValue[]) : [given];
    byKind[kind] = [];
    for (const name of names) {
      if (typeof name !== "string") problems.add(place, SYNTAX, "a principal is a text", "put it in quotes", name);
      else if (!isPrincipal(kind, name)) {
        problems.add(
          place,
          `Invalid principal in policy: "${kind}":"${name}"`,
          `"${name}" names nobody`,
          CURES[kind]!,
          name,
        );
      } else byKind[kind].push(name);
    }
  }
  return byKind;
}

const CURES: Readonly<Record<string, string>> = {
  AWS: 'write the ARN of a user, a role or a session, in full and without wildcards, an account\'s number, or "*"',
  Service: "write the service's name: sagemaker.amazonaws.com",
  Federated: "write the provider's ARN (arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH) or name",
  CanonicalUser: "write the canonical id of 64 hexadecimal digits",
};

function isPrincipal(kind: string, name: string): boolean {
  switch (kind) {
    case "AWS":
      return name === "*" || /^\d{12}$/.test(name) || /^A[A-Z0-9]{15,}$/.test(name) || isIdentityArn(name);
    case "Service":
      return name === "*" || /^[a-z0-9][\w.-]*\.[a-z]+(\.[a-z]+)?$/i.test(name);
    case "CanonicalUser":
      return /^[0-9a-f]{64}$/.test(name);
    default:
      return (
        name === "*" ||
        /^[\w-]+(\.[\w-]+)+$/.test(name) ||
        /^(saml|oidc)-provider\/./.test(parseArn(name)?.resource ?? "")
      );
  }
}

function isIdentityArn(name: string): boolean {
  const arn = parseArn(name);
  if (arn === undefined || !/^\d{12}$/.test(arn.account) || /[*?]/.test(name)) return false;
  if (arn.service === "sts") return /^(assumed-role\/[^/]+|federated-user)\/[^/]+$/.test(arn.resource);
  return arn.service === "iam" && /^(root|(user|role)\/.+)$/.test(arn.resource);
}
