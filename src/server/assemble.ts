import { randomBytes } from "node:crypto";
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { Clock } from "../core/clock.ts";
import type { Database } from "../store/database.ts";
import type { FileStore } from "../store/files.ts";
import { createIds } from "../store/ids.ts";
import { createApp } from "./app.ts";
import { createArtifactTransfers } from "./artifact-transfers.ts";
import type { ServerConfig } from "./config.ts";
import type { AppEnv } from "./http/env.ts";
import { createWrongKeys } from "./http/wrong-keys.ts";
import { createRunFiles } from "./run-files.ts";
import { DEFAULT_LIMITS } from "./services/context.ts";
import { createServices, type ServiceLimits, type Services } from "./services/services.ts";
import { createSignedUrls } from "./signed-urls.ts";

export interface Parts {
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: Pick<ServerConfig, "limits" | "baseUrl" | "plainProtocol">;
  /** Signs the addresses of files; the same for every server process on one store. */
  readonly secret: Uint8Array;
  readonly version: string;
  /** Aborted when the server closes: waiting requests end at once. */
  readonly closing: AbortSignal;
  /** Beside those that the settings give. */
  readonly serviceLimits?: Partial<ServiceLimits>;
}

/** Puts a server together from what it stands on: the logic, and the routes over it. Nothing listens or sweeps yet. */
export function assemble(parts: Parts): { readonly services: Services; readonly app: Hono<AppEnv> } {
  const { database, files, clock, logger, secret, closing } = parts;
  const { limits, baseUrl, plainProtocol } = parts.config;
  const services = createServices({
    database,
    files,
    clock,
    logger,
    random: randomBytes,
    limits: {
      codeArchiveBytes: limits.codeBytes,
      fileBytes: limits.fileBytes,
      acknowledgeMs: limits.acknowledgeSeconds * 1000,
      jobKeyGraceMs: limits.jobKeyGraceSeconds * 1000,
      runSilenceMs: limits.runSilenceSeconds * 1000,
      ...parts.serviceLimits,
    },
  });
  const urlMinutes = limits.uploadUrlMinutes;
  const signedUrls = createSignedUrls({ files, clock, secret, minutes: urlMinutes });
  const runFiles = createRunFiles({
    services,
    database,
    files,
    signedUrls,
    clock,
    logger,
    urlMinutes,
    maxBytes: limits.fileBytes,
  });
  services.alsoSweep(runFiles.sweep);
  const artifactTransfers = createArtifactTransfers({
    services,
    database,
    files,
    clock,
    signedUrls,
    urlMinutes,
    newId: createIds(clock, randomBytes),
    pendingMs: parts.serviceLimits?.artifactPendingMs ?? DEFAULT_LIMITS.artifactPendingMs,
    maxBytes: limits.fileBytes,
  });
  services.alsoSweep(artifactTransfers.sweep);
  const app = createApp({
    services,
    runFiles,
    clock,
    logger,
    limits,
    baseUrl,
    plainProtocol,
    closing,
    version: parts.version,
    wrongKeys: createWrongKeys(clock, limits.wrongKeysPerMinute),
    transfers: { files, signedUrls, received: runFiles.received },
    artifactTransfers,
    ready: async () => {
      await services.events.latest();
    },
  });
  return { services, app };
}
