import colors from "picocolors";
import { cloudFormationTemplate } from "../core/aws-access/cloudformation.ts";
import { setupDesign } from "../core/aws-access/setup-design.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { createAccountClients } from "../sagemaker/account/account-clients.ts";
import { planSetup, type SetupStep } from "../sagemaker/account/setup.ts";
import { classifyAwsError } from "../sagemaker/aws-problem.ts";
import { type AccessOptions, readAccessTargets } from "./access-options.ts";
import { type TrustOptions, trustedParty } from "./aws-policy.ts";
import { readCliConfig } from "./config.ts";
import { printTable } from "./output/table.ts";

export interface SetupOptions extends AccessOptions, Omit<TrustOptions, "explain"> {
  agentRole?: string;
  trust: string;
  apply?: boolean;
  cloudformation?: boolean;
  json?: boolean;
}

/** Shows what is lacking on AWS for some queues, or makes it. @throws AWS_SETUP_FAILED naming the step */
export async function setup(options: SetupOptions): Promise<void> {
  const targets = await readAccessTargets(options);
  const party = trustedParty(options.trust, { ...options, account: targets.accountId, partition: targets.partition });
  const design = setupDesign(targets, {
    trusted: party,
    ...(options.agentRole === undefined ? {} : { role: options.agentRole }),
  });
  if (options.cloudformation) return console.log(JSON.stringify(cloudFormationTemplate(design), null, 2));
  const clients = createAccountClients(targets.region, readCliConfig().env.AWS_ENDPOINT_URL !== undefined);
  try {
    const steps = await told("looking at what is there", () => planSetup(clients, design));
    if (options.apply) {
      for (const step of steps) {
        if (step.apply === undefined) continue;
        await told(`making the ${step.what} ${step.name}`, step.apply);
      }
    }
    print(steps, design.notes, options);
  } finally {
    clients.close();
  }
}

async function told<T>(step: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message, code } = classifyAwsError(error);
    throw new SlipwayError("AWS_SETUP_FAILED", { values: { step, reason: `${code}: ${message}` } });
  }
}

const DONE = { create: "created", update: "updated", keep: "kept" } as const;

function print(steps: readonly SetupStep[], notes: readonly string[], options: SetupOptions): void {
  const applied = options.apply === true;
  if (options.json) {
    const rows = steps.map(({ what, name, action, detail }) => ({ what, name, action, detail }));
    console.log(JSON.stringify({ applied, steps: rows, notes }));
    return;
  }
  printTable(
    [applied ? "done" : "plan", "what", "name", "detail"],
    steps.map(({ what, name, action, detail }) => [
      action === "keep" ? colors.dim(DONE.keep) : colors.green(applied ? DONE[action] : action),
      what,
      name,
      detail,
    ]),
  );
  for (const note of notes) console.error(`${colors.yellow("note")} ${note}`);
  if (!applied && steps.some(({ action }) => action !== "keep"))
    console.log("\nNothing has been changed. The same command with --apply does it.");
}
