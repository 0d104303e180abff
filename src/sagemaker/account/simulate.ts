import { type ContextEntry, SimulatePrincipalPolicyCommand } from "@aws-sdk/client-iam";
import type { AccessNeed, AccessRequest } from "../../core/aws-access/policy-document.ts";
import { classifyAwsError } from "../aws-problem.ts";
import type { AccountClients } from "./account-clients.ts";
import type { Checkup } from "./doctor.ts";

interface Simulation {
  /** Whose policies: `agent`, `execution role Train`. */
  readonly title: string;
  /** ARN of a user, a role or a session of a role. */
  readonly principal: string;
  readonly needs: readonly AccessNeed[];
  /** The command that prints the policy. */
  readonly cure: string;
}

/**
 * Asks IAM for each need whether the principal's own policies allow its calls. What may not be asked is unknown.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
 */
export async function simulateNeeds(clients: AccountClients, simulation: Simulation): Promise<Checkup[]> {
  const { title, needs, cure } = simulation;
  const source = sourceOf(simulation.principal);
  const lines: Checkup[] = [];
  for (const need of needs) {
    const check = `${title}: ${need.statement.Sid}`;
    const { Sid } = need.statement;
    try {
      const denied = await deniedOf(clients, source, need.requests);
      lines.push(
        denied.length === 0
          ? { check, verdict: "pass", why: "its policies allow it" }
          : {
              check,
              verdict: "fail",
              why: `${denied.join(", ")} is denied: ${need.without}`,
              cure: `${cure} ...   # the statement ${Sid}`,
            },
      );
    } catch (error) {
      const { code, message } = classifyAwsError(error);
      const why = `IAM cannot be asked (iam:SimulatePrincipalPolicy): ${code}: ${message}`;
      lines.push({ check, verdict: "unknown", why, cure: `slipway aws lint POLICY.json   # the statement ${Sid}` });
    }
  }
  return lines;
}

async function deniedOf(
  { iam }: AccountClients,
  source: string,
  requests: readonly AccessRequest[],
): Promise<string[]> {
  const denied = new Set<string>();
  for (const { action, resource, context } of requests) {
    const { EvaluationResults } = await iam.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: source,
        ActionNames: [action],
        ResourceArns: [resource],
        ContextEntries: Object.entries(context).map(entryOf),
      }),
    );
    if (EvaluationResults?.some(({ EvalDecision }) => EvalDecision !== "allowed")) denied.add(action);
  }
  return [...denied];
}

function entryOf([key, value]: [string, string | readonly string[]]): ContextEntry {
  const type = key === "kms:GrantIsForAWSResource" ? "boolean" : typeof value === "string" ? "string" : "stringList";
  return { ContextKeyName: key, ContextKeyType: type, ContextKeyValues: [value].flat() };
}

/** A session's policies are those of its role. The session's ARN leaves out the role's path: a role in a path is not found by it. */
function sourceOf(arn: string): string {
  const session = /^arn:([^:]+):sts::(\d{12}):assumed-role\/([^/]+)\//.exec(arn);
  return session === null ? arn : `arn:${session[1]}:iam::${session[2]}:role/${session[3]}`;
}
