/** What a job runs, to be written down. */
export type NewJobSource =
  | { readonly kind: "image"; readonly image: string; readonly entryPoint: readonly string[] | undefined }
  | ({ readonly kind: "artifact" /** Id of the artifact that holds the code. */; readonly artifactId: string } & Built)
  | ({ readonly kind: "repo"; readonly remote: string; readonly commit: string } & Built);

interface Built {
  readonly entryPoint: readonly string[];
  readonly baseImage: string | undefined;
  /** Directory inside the code that is built. */
  readonly buildContext: string | undefined;
  /** Path inside what is built. */
  readonly dockerfile: string | undefined;
}

const NO_TYPES = { wb_type: "typedDict", params: { type_map: {} } };
/** The first release of the wandb client that knows a build context and a Dockerfile. */
const SINCE_BUILD_CONTEXT = "0.17.0";

/**
 * The text of wandb-job.json, byte for byte what `wandb job create` writes (wandb/sdk/internal/job_builder.py), so that a job made
 * here and one made there of the same source are one version. `runtime` is a Python version, `3.11`, or empty.
 */
export function jobFileText(source: NewJobSource, runtime: string): string {
  const file = {
    _version: isNew(source) ? SINCE_BUILD_CONTEXT : "v0",
    source_type: source.kind,
    source: sourceOf(source),
    input_types: NO_TYPES,
    output_types: NO_TYPES,
    runtime,
  };
  return JSON.stringify(file, null, 4).replace(/[\u007f-\uffff]/g, escaped);
}

function isNew(source: NewJobSource): boolean {
  return source.kind !== "image" && (source.buildContext ?? source.dockerfile) !== undefined;
}

/** The order of the keys is the client's. */
function sourceOf(source: NewJobSource): object {
  if (source.kind === "image")
    return { image: source.image, ...(source.entryPoint === undefined ? {} : { entrypoint: source.entryPoint }) };
  const { entryPoint, baseImage, buildContext, dockerfile } = source;
  const build = {
    ...(buildContext === undefined ? {} : { build_context: buildContext }),
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(baseImage === undefined ? {} : { base_image: baseImage }),
  };
  const { kind } = source;
  return kind === "artifact"
    ? { entrypoint: entryPoint, notebook: false, artifact: `wandb-artifact://_id/${source.artifactId}`, ...build }
    : {
        git: { remote: source.remote, commit: source.commit },
        entrypoint: entryPoint,
        notebook: false,
        ...build,
      };
}

/** Python's json.dumps leaves U+007F as it is and writes everything after it as an escape. */
function escaped(unit: string): string {
  const code = unit.charCodeAt(0);
  return code === 0x7f ? unit : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** The text of requirements.frozen.txt for the code's requirements.txt: its lines, as the client joins them. */
export function requirementsText(requirements: string): string {
  return requirements
    .split(/\r\n|[\n\r]/)
    .join("\n")
    .replace(/\n$/, "");
}
