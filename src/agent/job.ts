import { backoffDelay } from "../client/backoff.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import type { RunSpec } from "../core/items/run-spec.ts";
import { plannedJobName, type SubmissionPlan, withImageEntryPoint } from "../core/training/submission-plan.ts";
import { resolveJob } from "./code/resolve-job.ts";
import { type HeldItem, Interrupted } from "./held-item.ts";
import { ensureImage } from "./image.ts";
import type { JobDeps } from "./job-deps.ts";
import { planItem } from "./plan.ts";
import { adopt } from "./reconcile.ts";
import { judge, settleFailure, settleStopped, settleTrainingEnd } from "./settle.ts";
import { findSubmitted, submit } from "./submit.ts";
import { watchTrainingJob } from "./watch.ts";

/** How often each item waited for trouble to pass, so that it waits longer each time. Forgotten with the agent. */
export type Waits = Map<string, number>;

/**
 * The way of one job from its lease to its end: plan, image, submit, watch, settle. Never throws. Returns when the item
 * has ended, waits, is another agent's, or (closing) is to be handed over.
 */
export async function runJob(deps: JobDeps, held: HeldItem, waits: Waits): Promise<void> {
  let step = "planning";
  try {
    deps.pass("leased");
    const jobName = held.claimed
      ? await followAdopted(deps, held)
      : await toSubmission(deps, held, (now) => {
          step = now;
        });
    waits.delete(held.id);
    step = "watching the training job";
    await toTheEnd(deps, held, jobName);
  } catch (error) {
    await endBadly(deps, held, error, step, waits);
  }
}

/**
 * Watches and settles. Once the job is submitted, no mistake of ours ends the item: the job runs, so whatever goes wrong
 * here is logged and the watch begins again.
 */
async function toTheEnd(deps: JobDeps, held: HeldItem, jobName: string): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      const { stopDelaySeconds } = deps.config;
      const watched = await watchTrainingJob({ ...deps, stopDelaySeconds }, held, jobName);
      return await settleTrainingEnd(deps, held, watched);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      if (error instanceof SlipwayError && error.code === "TRAINING_JOB_MISSING") throw error;
      deps.logger.error({ item: held.id, job: jobName, err: error }, "the watch broke off; beginning again");
      await deps.clock.sleep(backoffDelay(failures, { baseMs: 1_000, maxMs: 60_000 }, Math.random()), held.ended);
    }
  }
}

async function toSubmission(deps: JobDeps, held: HeldItem, at: (step: string) => void): Promise<string> {
  const { lease } = held;
  const jobName = plannedJobName(lease, lease.runSpec as RunSpec);
  // An agent told of this very job and fell silent: if it did submit it, all that is left is to follow it (or stop it).
  if (lease.trainingJobName === jobName && (await findSubmitted(deps, held, jobName))) return jobName;
  held.check();
  const plan = planItem(deps, held, await resolveJob(deps, held));
  deps.pass("planned");
  held.check();
  // A build takes a while, so people are told what is coming. Else the submission says so itself, a few milliseconds
  // later, and a report of its own would only hold it up by a commit.
  if (plan.image.kind === "build") await reportPlan(deps, held, plan);
  at(plan.image.kind === "build" ? "building the image" : "looking for the image");
  const image = await ensureImage(deps, held, plan);
  held.check();
  at("submitting the training job");
  return submit(deps, held, withImageEntryPoint(plan, image.entryPoint), image.uri);
}

async function reportPlan(deps: JobDeps, held: HeldItem, plan: SubmissionPlan): Promise<void> {
  const message = `Taken from queue ${held.lease.queueName}; it will be training job ${plan.trainingJobName}`;
  await deps.controlPlane.report(held, { phase: "planning", message });
  deps.pass("plan-reported");
  held.check();
}

async function followAdopted(deps: JobDeps, held: HeldItem): Promise<string> {
  const jobName = adopt(held);
  deps.logger.info({ item: held.id, job: jobName }, "training job adopted");
  await deps.controlPlane.report(held, {
    kind: "adopted",
    message: `Training job ${jobName} is followed from here on`,
  });
  return jobName;
}

async function endBadly(deps: JobDeps, held: HeldItem, error: unknown, step: string, waits: Waits): Promise<void> {
  try {
    if (error instanceof Interrupted) {
      deps.logger.info({ item: held.id, reason: error.reason, step }, "work on the item ended");
      if (error.reason === "stop") await settleStopped(deps, held);
      return;
    }
    if (held.lost.aborted) return;
    if (!(error instanceof SlipwayError)) deps.logger.error({ item: held.id, err: error, step }, "a step failed");
    const verdict = judge(error, step);
    const times = (waits.get(held.id) ?? 0) + 1;
    if (verdict.kind === "wait") waits.set(held.id, times);
    else waits.delete(held.id);
    await settleFailure(deps, held, verdict, times);
  } catch (last) {
    if (last instanceof Interrupted) {
      deps.logger.info({ item: held.id, reason: last.reason, step }, "work on the item ended");
      return;
    }
    deps.logger.error({ item: held.id, err: last }, "the item's end could not be told to the server");
  }
}
