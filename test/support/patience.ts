/**
 * How long the tests wait for something before they say that it did not come about. It only guards against a hang: on a busy
 * machine everything takes many times as long, and no test asserts how long. Less than vitest's own limit, which cannot say what
 * was waited for.
 */
export const PATIENCE_MS = 240_000;
