import type { Logger } from "pino";
import type { Client } from "../client/client.ts";
import type { Clock } from "../core/clock.ts";
import type { AwsClients } from "../sagemaker/aws-clients.ts";
import type { ImageLookup } from "../sagemaker/ecr-images.ts";
import type { RateLimit } from "../sagemaker/rate-limit.ts";
import type { TrainingWatcher } from "../sagemaker/watcher.ts";
import type { AgentConfig } from "./config.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { PassPoint } from "./crash-point.ts";

/** What the steps of a job work with. */
export interface JobDeps {
  readonly config: AgentConfig;
  readonly client: Client;
  readonly controlPlane: ControlPlane;
  readonly aws: AwsClients;
  readonly watcher: TrainingWatcher;
  readonly lookUpImage: ImageLookup;
  readonly logRate: RateLimit;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fetch: typeof globalThis.fetch;
  readonly pass: PassPoint;
}
