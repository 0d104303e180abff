/** The points between two steps of a job, in order. SLIPWAY_TEST_CRASH_AT names one of them. */
export const CRASH_POINTS = [
  "leased",
  "planned",
  "plan-reported",
  "image-checked",
  "code-downloaded",
  "image-built",
  "submit-reported",
  "created",
  "acknowledged",
  "step-reported",
  "logs-stored",
  "stop-sent",
  "ended",
  "logs-drained",
  "settled",
] as const;
/** Two more, where the plain protocol is spoken; both come before "leased". */
export const PLAIN_CRASH_POINTS = ["popped", "item-acknowledged"] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number] | (typeof PLAIN_CRASH_POINTS)[number];

/** Ends the process here if the tests ask for it; does nothing otherwise. */
export type PassPoint = (point: CrashPoint) => void;

/** A test hook: kills this process without any clean-up, as a power cut would, when the named point is passed. */
export function createPassPoint(crashAt: string | undefined): PassPoint {
  if (crashAt === undefined) return () => {};
  return (point) => {
    if (point === crashAt) process.kill(process.pid, "SIGKILL");
  };
}
