import type { Logger } from "pino";
import type { Clock } from "../../core/clock.ts";
import type { FileStore, StoredFile } from "../../store/files.ts";
import type { ArtifactTransfers } from "../artifact-transfers.ts";
import type { ServerLimits } from "../config.ts";
import type { RunFiles } from "../run-files.ts";
import type { Principal } from "../services/principal.ts";
import type { Services } from "../services/services.ts";
import type { SignedUrls } from "../signed-urls.ts";
import type { WrongKeys } from "./wrong-keys.ts";

/** What the routes are made of. */
export interface AppDeps {
  readonly services: Services;
  readonly runFiles: RunFiles;
  /** What moves files to and from signed addresses. */
  readonly transfers: {
    readonly files: FileStore;
    readonly signedUrls: SignedUrls;
    /** Told of each file that has come. */
    received(path: string, stored: StoredFile): Promise<void>;
  };
  readonly artifactTransfers: ArtifactTransfers;
  readonly wrongKeys: WrongKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ServerLimits;
  /** Where clients reach the server, if not under the Host they name. */
  readonly baseUrl: string | undefined;
  readonly version: string;
  /** Speak only the wandb client's protocol. */
  readonly plainProtocol: boolean;
  /** Does the database answer? Rejects if not. */
  readonly ready: () => Promise<void>;
  /** Aborted when the server closes: waiting requests end at once. */
  readonly closing: AbortSignal;
}

/** What a request carries from one handler to the next. */
export interface AppEnv {
  Variables: {
    requestId: string;
    wrongKeys: WrongKeys;
    /** Only behind `authenticated`. */
    viewer: Principal;
    apiKey: string;
  };
}
