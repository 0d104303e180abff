import type { Logger } from "pino";
import type { ArtifactTransfers } from "../artifact-transfers.ts";
import type { RunFiles } from "../run-files.ts";
import type { Principal } from "../services/principal.ts";
import type { Services } from "../services/services.ts";
import type { Loaders } from "./loaders.ts";

/** What a resolver has at hand. Resolvers only translate: every decision is a service's. */
export interface GraphqlContext {
  readonly services: Services;
  readonly runFiles: RunFiles;
  readonly artifactTransfers: ArtifactTransfers;
  readonly loaders: Loaders;
  /** Who calls; a request without a valid key never gets here. */
  readonly viewer: Principal;
  readonly requestId: string;
  readonly logger: Logger;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** Where the client reached this server, for addresses in answers; without a trailing slash. */
  readonly baseUrl: string;
  readonly version: string;
  /** Only the plain protocol is spoken (SLIPWAY_PLAIN_PROTOCOL). */
  readonly plainProtocol: boolean;
  /** The client prints the messages of errors, but not their extensions. */
  readonly showsMessageOnly: boolean;
}
