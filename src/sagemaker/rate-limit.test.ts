import { expect, test } from "vitest";
import { createRateLimit } from "./rate-limit.ts";

/** A clock whose sleeps take no time and move it on. */
function fakeClock() {
  let at = 0;
  return {
    now: () => at,
    sleep: async (ms: number) => {
      at += ms;
    },
    pass: (ms: number) => {
      at += ms;
    },
  };
}

test("a burst goes through, what follows comes at the rate", async () => {
  const clock = fakeClock();
  const limit = createRateLimit(10, clock);
  for (let i = 0; i < 10; i++) await limit.take();
  expect(clock.now()).toBe(0);
  for (let i = 0; i < 20; i++) await limit.take();
  expect(clock.now()).toBeCloseTo(2_000, -1);
});

test("throttling halves the rate, which grows back", async () => {
  const clock = fakeClock();
  const limit = createRateLimit(10, clock);
  for (let i = 0; i < 10; i++) await limit.take();
  limit.throttled();
  await limit.take();
  expect(clock.now()).toBeGreaterThanOrEqual(199);
  clock.pass(60_000);
  for (let i = 0; i < 10; i++) await limit.take();
  const from = clock.now();
  await limit.take();
  expect(clock.now() - from).toBeLessThanOrEqual(101);
});
