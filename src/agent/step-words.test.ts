import { expect, test } from "vitest";
import { seconds, stepSentence } from "./step-words.ts";

test("durations as people read them", () => {
  expect([350, 12_340, 200_000, 7_500_000].map(seconds)).toEqual(["0.35 s", "12.3 s", "3 min 20 s", "2 h 5 min"]);
});

test("a step's sentence says what begins and how long the step before took", () => {
  const starting = {
    phase: "starting",
    secondaryStatus: "Starting",
    message: "",
    startedAt: 0,
    endedAt: 2_000,
  } as const;
  const training = {
    ...starting,
    phase: "training",
    secondaryStatus: "Training",
    startedAt: 2_000,
    endedAt: undefined,
  } as const;
  expect(stepSentence(starting, undefined)).toBe("SageMaker is starting the instances");
  expect(stepSentence(training, starting)).toBe("The training code is running (started in 2.00 s)");
});
