import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { explainItem, type ItemFacts } from "./causes.ts";
import { ITEM_CAUSES, ITEM_PHASES, ITEM_STATES, phasesOf } from "./item-states.ts";

const failed = { state: "FAILED", phase: "settled" } as const;

describe("explainItem", () => {
  it.each<[ItemFacts, string, string | RegExp | null]>([
    [
      { state: "PENDING", phase: "queued", queueName: "gpu", agentsAlive: 0 },
      "Waiting on queue gpu: no agent serves it",
      /slipway launch-agent -q gpu/,
    ],
    [
      { state: "PENDING", phase: "queued", queueName: "gpu", agentsAlive: 1, position: 3 },
      "Waiting on queue gpu behind 3 items",
      null,
    ],
    [{ state: "PENDING", phase: "queued", agentsAlive: 1, position: 0 }, "Next", /max_jobs/],
    [
      {
        state: "PENDING",
        phase: "waiting",
        cause: "quota",
        waitingReason: "ResourceLimitExceeded: 0 instances are left.",
        waitUntil: 90_000,
        now: 30_000,
      },
      "Waiting for 60 s: ResourceLimitExceeded: 0 instances are left",
      /Service Quotas/,
    ],
    [
      { state: "PENDING", phase: "waiting", cause: "capacity", attempt: 2, waitUntil: 600_000, now: 0 },
      "Waiting before attempt 2 for 10 min: SageMaker has no capacity for this instance type",
      /Another instance type/,
    ],
    [{ state: "LEASED", phase: "building" }, "The image is being built", null],
    [{ state: "CLAIMED", phase: "training", attempt: 2 }, "The training code is running (attempt 2)", null],
    [
      { state: "CLAIMED", phase: "training", stopRequested: true, stopRequestedBy: "ann" },
      "Stopping, asked for by ann",
      /120 seconds/,
    ],
    [
      {
        ...failed,
        cause: "code_failed",
        exitCode: 3,
        failureReason: "AlgorithmError: Traceback\nValueError: no data, exit code: 3",
      },
      "The training code ended with exit code 3: ValueError: no data",
      /log/,
    ],
    [
      { ...failed, cause: "code_failed", exitCode: 137, failureReason: "AlgorithmError: , exit code: 137" },
      "The training code ended with exit code 137",
      /memory/,
    ],
    [
      { ...failed, cause: "name_conflict", trainingJobName: "abc" },
      "The training job's name abc belongs to another job",
      /\$\{run_id\}/,
    ],
    [
      { ...failed, cause: "validation", message: "RoleArn is missing.", hint: "Give it." },
      "The request was refused: RoleArn is missing",
      "Give it.",
    ],
    [{ ...failed }, "Something went wrong that Slipway has no name for", /log/],
    [{ state: "STOPPED", phase: "settled", cause: "stopped", stopRequestedBy: "ann" }, "Stopped by ann", null],
    [
      { state: "STOPPED", phase: "settled", cause: "max_runtime" },
      "The training reached MaxRuntimeInSeconds and was stopped",
      /MaxRuntimeInSeconds/,
    ],
    [
      { state: "FINISHED", phase: "settled", cause: "completed", billableSeconds: 12, modelArtifacts: "s3://b/m" },
      "Completed; 12 s are billed",
      "The model is at s3://b/m",
    ],
  ])("%j", (facts, summary, next) => {
    const explanation = explainItem(facts);
    expect(explanation.summary).toBe(summary);
    if (next instanceof RegExp) expect(explanation.next).toMatch(next);
    else expect(explanation.next).toBe(next);
  });

  it("says something of every state, phase and cause, without leftovers", () => {
    const text = fc.option(fc.string({ unit: fc.constantFrom("a", " ", ".", "\n") }), { nil: null });
    const facts = fc.record({
      state: fc.constantFrom(...ITEM_STATES),
      phase: fc.constantFrom(...ITEM_PHASES),
      cause: fc.option(fc.constantFrom(...ITEM_CAUSES), { nil: null }),
      message: text,
      failureReason: text,
      waitingReason: text,
      exitCode: fc.option(fc.nat(255), { nil: null }),
      stopRequested: fc.boolean(),
      attempt: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(facts, (given) => {
        const { summary } = explainItem({
          ...given,
          phase: phasesOf(given.state).includes(given.phase) ? given.phase : phasesOf(given.state)[0]!,
        });
        expect(summary).not.toBe("");
        expect(summary).not.toMatch(/undefined|null|[.:]$/);
      }),
    );
  });
});
