import colors from "picocolors";
import { agentNeeds } from "../core/aws-access/agent-access.ts";
import { executionRoleNeeds } from "../core/aws-access/execution-role-access.ts";
import { type AccessNeed, type PolicyStatement, policyOf } from "../core/aws-access/policy-document.ts";
import { type TrustedParty, trustStatement } from "../core/aws-access/trust-policy.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { partitionOfRegion } from "../core/image-repository.ts";
import { type AccessOptions, readAccessTargets } from "./access-options.ts";
import { readCliConfig } from "./config.ts";

export interface PolicyOptions extends AccessOptions {
  logs?: boolean;
  stop?: boolean;
  explain?: boolean;
}

export interface TrustOptions {
  account?: string;
  partition?: string;
  region?: string;
  principal?: string[];
  externalId?: string;
  oidcProvider?: string;
  namespace?: string;
  serviceAccount?: string;
  clusterArn?: string;
  onlyAccount?: boolean;
  explain?: boolean;
}

/** Prints the policy of the agent or of the execution role; what a person should know beside it goes to stderr. */
export async function printPolicy(who: "agent" | "execution-role", options: PolicyOptions): Promise<void> {
  const targets = await readAccessTargets(options);
  const needs = who === "agent" ? agentNeeds(targets, options) : executionRoleNeeds(targets);
  if (who === "agent" && targets.executionRoles.length === 0)
    throw new SlipwayError("ACCESS_UNCLEAR", {
      values: { problem: "the agent passes execution roles, and no queue that names one was given" },
    });
  print(needs, options.explain === true);
  for (const note of targets.notes) console.error(`${colors.yellow("note")} ${note}`);
}

/** Prints a trust policy. */
export function printTrust(kind: string, options: TrustOptions): void {
  const { statement, why, without } = trustStatement(trustedParty(kind, options));
  print([{ statement, why, without }], options.explain === true);
}

function print(needs: readonly Pick<AccessNeed, "statement" | "why" | "without">[], explain: boolean): void {
  if (!explain) {
    console.log(JSON.stringify(policyOf(needs.map((need) => ({ ...need, requests: [] }))), null, 2));
    return;
  }
  for (const { statement, why, without } of needs) {
    console.log(colors.bold(statement.Sid));
    console.log(`  ${why}`);
    console.log(`  ${colors.dim("without it")} ${without}`);
    for (const line of statementLines(statement)) console.log(`  ${line}`);
    console.log();
  }
}

function statementLines(statement: PolicyStatement): string[] {
  const list = (value: unknown) => (Array.isArray(value) ? value : [value]).map(String);
  return [
    ...list(statement.Action).map((action) => `${colors.dim("may")}  ${action}`),
    ...(statement.Resource === undefined ? [] : list(statement.Resource).map((arn) => `${colors.dim("on")}   ${arn}`)),
    ...(statement.Principal === undefined ? [] : [`${colors.dim("who")}  ${JSON.stringify(statement.Principal)}`]),
    ...Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(
        ([key, values]) => `${colors.dim("if")}   ${key} ${operator} ${list(values).join(" or ")}`,
      ),
    ),
  ];
}

/** @throws USAGE for what the kind of trust lacks */
export function trustedParty(kind: string, options: TrustOptions): TrustedParty {
  const { env } = readCliConfig();
  const region = options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
  const partition = options.partition ?? partitionOfRegion(region);
  const needed = (name: string, value: string | undefined): string => {
    if (value !== undefined && value !== "") return value;
    throw new SlipwayError("USAGE", { values: { problem: `trust for ${kind} needs ${name}` }, where: name });
  };
  switch (kind) {
    case "sagemaker":
      return { kind, ...(options.onlyAccount ? { accountId: needed("--account", options.account) } : {}) };
    case "ec2":
      return { kind, partition };
    case "irsa":
      return {
        kind,
        partition,
        accountId: needed("--account", options.account),
        oidcProvider: needed("--oidc-provider", options.oidcProvider),
        namespace: needed("--namespace", options.namespace),
        serviceAccount: needed("--service-account", options.serviceAccount),
      };
    case "pod-identity":
      return {
        kind,
        accountId: needed("--account", options.account),
        ...(options.clusterArn === undefined ? {} : { clusterArn: options.clusterArn }),
      };
    default:
      return {
        kind: "account",
        partition,
        accountId: needed("--account", options.account),
        ...(options.principal === undefined ? {} : { principals: options.principal }),
        ...(options.externalId === undefined ? {} : { externalId: options.externalId }),
      };
  }
}
