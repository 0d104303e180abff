import colors from "picocolors";
import { agentNeeds } from "../core/aws-access/agent-access.ts";
import { executionRoleNeeds } from "../core/aws-access/execution-role-access.ts";
import type { Finding } from "../core/aws-access/lint/finding.ts";
import { lintPolicy } from "../core/aws-access/lint/lint-policy.ts";
import { lintTrust } from "../core/aws-access/lint/lint-trust.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { readYaml, type YamlDocument } from "../core/yaml-document.ts";
import { readAccessTargets } from "./access-options.ts";
import { type PolicyOptions, type TrustOptions, trustedParty } from "./aws-policy.ts";
import { readInput } from "./queues.ts";

export interface LintOptions extends PolicyOptions, Omit<TrustOptions, "explain"> {
  for?: "agent" | "execution-role" | "trust";
  who?: string;
  json?: boolean;
}

/** Prints what is wrong with a policy; answers the exit code: 1 if something fails or too much is allowed. */
export async function lint(file: string, options: LintOptions): Promise<number> {
  const text = await readInput(file, "POLICY");
  const document = readYaml(text);
  const policy = policyIn(text, file);
  const purpose = options.for ?? purposeOf(policy);
  const findings = await findingsOf(policy, purpose, options);
  const placed = findings.map((finding) => ({ ...finding, ...placeOf(document, finding.path) }));
  const serious = findings.filter(({ severity }) => severity !== "note");
  if (options.json) {
    console.log(JSON.stringify({ file, for: purpose, ok: serious.length === 0, findings: placed }));
    return serious.length === 0 ? 0 : 1;
  }
  for (const finding of placed) printFinding(file, finding);
  const count = (severity: Finding["severity"]) => findings.filter((one) => one.severity === severity).length;
  console.log(
    serious.length === 0
      ? `${colors.green("ok")} ${file} is enough for ${purpose}, and no more than enough`
      : `${file}, judged as ${purpose}: ${count("error")} error(s), ${count("warning")} warning(s), ${count("note")} note(s)`,
  );
  return serious.length === 0 ? 0 : 1;
}

async function findingsOf(
  policy: JsonObject,
  purpose: NonNullable<LintOptions["for"]>,
  options: LintOptions,
): Promise<Finding[]> {
  if (purpose === "trust") return lintTrust(policy, trustedParty(options.who ?? partyOf(policy), options));
  const targets = await readAccessTargets(options);
  return lintPolicy(policy, purpose === "agent" ? agentNeeds(targets, options) : executionRoleNeeds(targets), targets);
}

/** The document, also out of an answer of the aws CLI (`get-role-policy`, `get-policy-version`). */
function policyIn(text: string, file: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new SlipwayError("JSON_ARGUMENT_INVALID", { values: { source: file, problem }, where: file });
  }
  for (const key of ["PolicyVersion", "PolicyDocument", "Document"])
    if (isJsonObject(value) && isJsonObject(value[key])) value = value[key];
  if (isJsonObject(value)) return value;
  throw new SlipwayError("JSON_ARGUMENT_INVALID", {
    values: { source: file, problem: "a policy is an object" },
    where: file,
  });
}

/** What a policy is for, by what is in it. */
function purposeOf(policy: JsonObject): NonNullable<LintOptions["for"]> {
  const text = JSON.stringify(policy).toLowerCase();
  if (text.includes('"principal"')) return "trust";
  return text.includes("iam:passrole") || text.includes("sagemaker:") ? "agent" : "execution-role";
}

/** Whom a trust policy is meant for, where --who does not say it. */
function partyOf(policy: JsonObject): string {
  const text = JSON.stringify(policy);
  if (text.includes("sagemaker.amazonaws.com")) return "sagemaker";
  if (text.includes("pods.eks.amazonaws.com")) return "pod-identity";
  if (text.includes("oidc-provider")) return "irsa";
  if (text.includes("ec2.amazonaws.com")) return "ec2";
  const problem =
    "it is not clear who is to assume the role; say it with --who ec2, irsa, pod-identity, account or sagemaker";
  throw new SlipwayError("USAGE", { values: { problem }, where: "--who" });
}

/** `Statement[0].Condition.StringEquals["kms:ViaService"]` to its place in the file. */
function placeOf(document: YamlDocument, path: string): { line?: number; column?: number } {
  if (path === "" || document.problems.length > 0) return {};
  const steps = [...path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)].map((match) =>
    match[1] !== undefined ? Number(match[1]) : (match[2] ?? match[3] ?? ""),
  );
  return document.positionOf(steps);
}

const COLOURS = { error: colors.red, warning: colors.yellow, note: colors.dim } as const;

function printFinding(file: string, finding: Finding & { line?: number; column?: number }): void {
  const place = finding.line === undefined ? file : `${file}:${finding.line}:${finding.column ?? 1}`;
  console.log(
    `${COLOURS[finding.severity](finding.severity)} ${colors.bold(finding.code)} ${place}${finding.path === "" ? "" : ` ${finding.path}`}`,
  );
  console.log(`  ${finding.message}`);
  console.log(`  ${colors.dim("at run time")} ${finding.atRunTime}`);
  console.log(`  ${colors.dim("cure")} ${finding.cure}`);
  if (finding.statement !== undefined && finding.severity !== "note")
    for (const line of JSON.stringify(finding.statement, null, 2).split("\n")) console.log(`    ${line}`);
  console.log();
}
