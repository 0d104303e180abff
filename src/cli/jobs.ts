import colors from "picocolors";
import type { JobCreateOptions } from "./commands/job.ts";
import { type MadeJob, makeCodeJob, makeImageJob, makeRepoJob } from "./job-making.ts";
import type { Session } from "./session.ts";

/** A job of a prebuilt image. */
export async function createImageJob(session: Session, image: string, options: JobCreateOptions): Promise<void> {
  tell(await makeImageJob(session, image, options), options);
}

/** A job of a directory of code, which becomes an artifact of its own. */
export async function createCodeJob(session: Session, directory: string, options: JobCreateOptions): Promise<void> {
  tell(await makeCodeJob(session, directory, options), options);
}

/** A job of the commit at which a branch or tag of a git repository is now. */
export async function createRepoJob(session: Session, remote: string, options: JobCreateOptions): Promise<void> {
  tell(await makeRepoJob(session, remote, options), options);
}

function tell({ path, aliases, described, ...version }: MadeJob, { json }: JobCreateOptions): void {
  if (json) {
    console.log(JSON.stringify({ job: path, aliases, ...version }));
    return;
  }
  const told = version.created
    ? colors.green("created")
    : colors.yellow(described ? "no change but the description, it is" : "no change, it is");
  console.log(`${told} job ${path} (${aliases.join(", ")})`);
  console.log(colors.dim(`slipway launch -j ${path} -q QUEUE     slipway job show ${path}`));
}
