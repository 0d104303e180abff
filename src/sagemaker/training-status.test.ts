import type { DescribeTrainingJobResponse } from "@aws-sdk/client-sagemaker";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ITEM_PHASES } from "../core/items/item-states.ts";
import { exitCodeOf, phaseOfSecondaryStatus, trainingEnd, trainingSteps } from "./training-status.ts";

const job = (fields: Partial<Record<keyof DescribeTrainingJobResponse, unknown>>) =>
  fields as unknown as DescribeTrainingJobResponse;

test("the four ends and the two time limits are told apart", () => {
  const end = (TrainingJobStatus: string, SecondaryStatus: string, FailureReason?: string) =>
    trainingEnd(
      job({ TrainingJobStatus, SecondaryStatus, FailureReason, StoppingCondition: { MaxRuntimeInSeconds: 60 } }),
    );
  expect(end("InProgress", "Training")).toBeUndefined();
  expect(end("Stopping", "Stopping")).toBeUndefined();
  expect(end("Completed", "Completed")).toMatchObject({ state: "FINISHED", cause: "completed", retry: false });
  expect(end("Stopped", "Stopped")).toMatchObject({ state: "STOPPED", cause: "stopped" });
  expect(end("Stopped", "MaxRuntimeExceeded")).toMatchObject({ state: "STOPPED", cause: "max_runtime" });
  expect(end("Stopped", "MaxRuntimeExceeded")?.message).toContain("60");
  expect(end("Stopped", "MaxWaitTimeExceeded")).toMatchObject({ state: "STOPPED", cause: "max_wait" });
  expect(end("Failed", "Failed", "AlgorithmError: , exit code: 3")).toMatchObject({
    state: "FAILED",
    cause: "code_failed",
  });
  expect(end("Failed", "Failed", "ClientError: no such bucket")).toMatchObject({ cause: "validation", retry: false });
  expect(end("Failed", "Failed", "CapacityError: Unable to provision")).toMatchObject({
    cause: "capacity",
    retry: true,
  });
  expect(end("Failed", "Failed", "InternalServerError: We encountered")).toMatchObject({
    cause: "internal",
    retry: true,
  });
});

test("the exit code is the one SageMaker puts at the end, whatever the failure file says before", () => {
  expect(exitCodeOf("AlgorithmError: , exit code: 3")).toBe(3);
  expect(exitCodeOf("AlgorithmError: child had exit code: 1, exit code: 139")).toBe(139);
  expect(exitCodeOf("ClientError: no data")).toBeUndefined();
});

test("SageMaker's secondary statuses are phases; no capacity shows in the message only", () => {
  expect(phaseOfSecondaryStatus("Starting", "Launching requested ML instances")).toBe("starting");
  expect(
    phaseOfSecondaryStatus("Starting", "Insufficient capacity error from EC2 while launching instances, retrying!"),
  ).toBe("pending_capacity");
  expect(phaseOfSecondaryStatus("Completed")).toBeUndefined();
});

test("whatever the statuses are, steps keep their order and know only our phases", () => {
  const transition = fc.record({
    Status: fc.oneof(
      fc.constantFrom("Starting", "Downloading", "Training", "Uploading", "Interrupted", "Completed"),
      fc.string(),
    ),
    StartTime: fc.date({ noInvalidDate: true }),
    StatusMessage: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(transition), (SecondaryStatusTransitions) => {
      const steps = trainingSteps(job({ SecondaryStatusTransitions }));
      expect(steps.every((step) => ITEM_PHASES.includes(step.phase))).toBe(true);
      const times = SecondaryStatusTransitions.map((one) => one.StartTime.getTime());
      let from = 0;
      for (const step of steps) {
        const at = times.indexOf(step.startedAt, from);
        expect(at).toBeGreaterThanOrEqual(from);
        from = at + 1;
      }
    }),
  );
});
