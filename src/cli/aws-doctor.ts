import colors from "picocolors";
import { systemClock } from "../core/clock.ts";
import { createAccountClients } from "../sagemaker/account/account-clients.ts";
import { type Checkup, examine } from "../sagemaker/account/doctor.ts";
import { type AccessOptions, readAccessTargets } from "./access-options.ts";
import { readCliConfig } from "./config.ts";

export interface DoctorOptions extends AccessOptions {
  json?: boolean;
}

const SIGNS = {
  pass: colors.green("pass   "),
  fail: colors.red("fail   "),
  unknown: colors.yellow("unknown"),
} as const;

/** Prints what works and what does not; answers the exit code: 1 if anything fails. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const targets = await readAccessTargets(options);
  const clients = createAccountClients(targets.region, readCliConfig().env.AWS_ENDPOINT_URL !== undefined);
  try {
    const lines = await examine(clients, targets, systemClock);
    const failed = lines.filter(({ verdict }) => verdict === "fail").length;
    if (options.json) console.log(JSON.stringify({ ok: failed === 0, checks: lines }));
    else print(lines, failed);
    return failed === 0 ? 0 : 1;
  } finally {
    clients.close();
  }
}

function print(lines: readonly Checkup[], failed: number): void {
  for (const { check, verdict, why, cure } of lines) {
    console.log(`${SIGNS[verdict]} ${colors.bold(check)}  ${why}`);
    if (cure !== undefined) console.log(`        ${colors.dim(cure)}`);
  }
  const unknown = lines.filter(({ verdict }) => verdict === "unknown").length;
  console.log(`\n${lines.length - failed - unknown} pass, ${failed} fail, ${unknown} unknown`);
}
