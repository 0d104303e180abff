import type { JsonObject } from "./json.ts";

/**
 * What to run, as the wandb client writes it, plus `code` (ours: a directory of code without a job artifact).
 * The server completes it at push: author, run_id, resource, resource_args.
 */
export interface RunSpec {
  readonly entity: string;
  readonly project: string;
  readonly name?: string;
  readonly author?: string;
  readonly run_id?: string;
  readonly sweep_id?: string;
  /** `sagemaker`; null or absent until the server fills it in from the queue. */
  readonly resource?: string | null;
  /** `{sagemaker: <CreateTrainingJob body>}` */
  readonly resource_args?: { readonly [resource: string]: JsonObject } | null;
  readonly docker?: { readonly docker_image?: string };
  readonly job?: string | null;
  readonly uri?: string | null;
  readonly git?: JsonObject;
  readonly overrides?: RunSpecOverrides;
  readonly code?: CodeSource;
}

export interface RunSpecOverrides {
  /** An argument list, never a shell line. */
  readonly entry_point?: readonly string[];
  readonly args?: readonly string[];
  readonly run_config?: JsonObject;
}

/** A directory of code, packed by the client and kept by the server under its digest. */
export interface CodeSource {
  /** `sha256:<64 hex>` of the archive. */
  readonly digest: string;
  /** Bytes of the archive (tar.gz). */
  readonly size: number;
  /** For instance `["python3", "train.py"]`; overrides.entry_point wins. */
  readonly entry_point: readonly string[];
  /** Path inside the archive, if it has one: `requirements.txt`. */
  readonly requirements?: string;
  /** Base image, or `host`; the agent's builder.base where absent. */
  readonly base?: string;
}
