import type { Policy, Statement } from "../../iam/policy.ts";
import { speaksOfAction } from "../../iam/statements.ts";
import { elementPath, memberPath } from "../../json-path.ts";
import type { AccessNeed, AccessRequest } from "../policy-document.ts";
import type { Finding, FindingCode } from "./finding.ts";
import { judge } from "./judge.ts";

/** The calls of the needs that a policy does not allow, each with the reason that lies in the policy. */
export function missingFindings(policy: Policy, needs: readonly AccessNeed[]): Finding[] {
  return needs.flatMap((need) => {
    const byPlace = new Map<string, { reason: Reason; actions: Set<string> }>();
    for (const request of need.requests) {
      const reason = reasonOf(policy, request);
      if (reason === undefined) continue;
      const key = `${reason.code} ${reason.path}`;
      const group = byPlace.get(key) ?? { reason, actions: new Set<string>() };
      group.actions.add(request.action);
      byPlace.set(key, group);
    }
    return [...byPlace.values()].map(({ reason, actions }): Finding => {
      const names = [...actions];
      return {
        code: reason.code,
        severity: need.optional ? "warning" : "error",
        path: reason.path,
        message: reason.message(names.join(", ")),
        atRunTime: need.without,
        cure: reason.cure ?? `add the statement ${need.statement.Sid}, or correct the one there is by it`,
        statement: need.statement,
        actions: names,
      };
    });
  });
}

interface Reason {
  readonly code: FindingCode;
  readonly path: string;
  readonly message: (actions: string) => string;
  readonly cure?: string;
}

/** Why a call is denied; undefined if it is allowed. */
function reasonOf(policy: Policy, request: AccessRequest): Reason | undefined {
  const decision = judge(policy, request);
  if (decision.outcome === "allowed") return undefined;
  if (decision.outcome === "explicitly denied")
    return {
      code: "EXPLICITLY_DENIED",
      path: decision.statements[0]?.statement.path ?? "",
      message: (actions) => `a statement denies ${actions}, which is needed`,
      cure: "take the call out of the denying statement: no other statement can allow it",
    };
  const near = decision.near.find(({ statement }) => statement.effect === "Allow");
  const failed = near?.failed[0];
  if (failed !== undefined) {
    const { condition, given } = failed;
    const wanted = condition.values.join('" or "');
    const sameButCase = condition.values.some((value) =>
      given?.some((one) => one !== value && one.toLowerCase() === value.toLowerCase()),
    );
    return sameButCase
      ? {
          code: "CONDITION_CASE",
          path: condition.path,
          message: (actions) =>
            `${condition.operator} regards capital letters: "${wanted}" is never "${given?.join(", ")}", which ${actions} carries`,
          cure: `write "${given?.join(", ")}"`,
        }
      : {
          code: "CONDITION_NOT_MET",
          path: condition.path,
          message: (actions) =>
            `${actions} carries ${given === undefined ? `no ${condition.key}` : `${condition.key} "${given.join(", ")}"`}, not "${wanted}"`,
        };
  }
  const speaking = policy.statements.find(
    (statement) => statement.effect === "Allow" && speaksOfAction(statement, request.action),
  );
  return speaking === undefined
    ? {
        code: "ACTION_MISSING",
        path: "Statement",
        message: (actions) => `no statement allows ${actions}`,
      }
    : resourceReason(speaking, request);
}

function resourceReason(statement: Statement, request: AccessRequest): Reason {
  const patterns = statement.resources?.patterns ?? [];
  const nested = patterns.findIndex((pattern) => /^arn:.*[:/]arn:/.test(pattern));
  const place = memberPath(statement.path, "Resource");
  if (nested >= 0)
    return {
      code: "ARN_INSIDE_ARN",
      path: patterns.length === 1 ? place : elementPath(place, nested),
      message: () => `"${patterns[nested]}" has an ARN inside it and matches nothing; it should be ${request.resource}`,
      cure: `write "${request.resource}"`,
    };
  const service = request.action.split(":")[0]!.toLowerCase();
  const services = patterns.map((pattern) => pattern.split(":")[2] ?? "*");
  if (services.every((one) => !/[*?]/.test(one) && one !== request.resource.split(":")[2]))
    return {
      code: "RESOURCE_OF_OTHER_SERVICE",
      path: place,
      message: (actions) =>
        `${actions} acts on resources of ${service}, and the statement names those of ${[...new Set(services)].join(", ")}: it never matches`,
    };
  return {
    code: "RESOURCE_DOES_NOT_MATCH",
    path: place,
    message: (actions) => `${actions} acts on ${request.resource}, which the statement's resources do not match`,
  };
}
