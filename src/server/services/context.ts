import { createIds, type NewId } from "../../store/ids.ts";
import type { ServiceDeps, ServiceLimits } from "./services.ts";

/** What every service works with. */
export interface ServiceContext extends Omit<ServiceDeps, "limits"> {
  readonly newId: NewId;
  readonly limits: ServiceLimits;
}

const MINUTE = 60_000;

export const DEFAULT_LIMITS: ServiceLimits = {
  leaseMs: MINUTE,
  acknowledgeMs: MINUTE,
  maxAttempts: 5,
  agentAliveMs: 90_000,
  plainRunSilenceMs: 15 * MINUTE,
  plainRunStartMs: 24 * 60 * MINUTE,
  runSilenceMs: 5 * MINUTE,
  jobKeyGraceMs: 15 * MINUTE,
  eventRetentionMs: 24 * 60 * MINUTE,
  artifactPendingMs: 24 * 60 * MINUTE,
  codeArchiveBytes: 512 * 1024 * 1024,
  fileBytes: 5 * 1024 * 1024 * 1024,
};

export function createServiceContext(deps: ServiceDeps): ServiceContext {
  return { ...deps, newId: createIds(deps.clock, deps.random), limits: { ...DEFAULT_LIMITS, ...deps.limits } };
}
