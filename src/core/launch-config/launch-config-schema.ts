import { z } from "zod";

/** What zod says in our words: the sentence follows the key's name. */
const text = (what = "must be a text") => z.string({ error: what }).min(1, { error: "is empty" });
const count = z.int({ error: "must be a whole number" }).min(-1, { error: "must be -1 (no limit) or more" });

const environment = z.strictObject(
  {
    type: z.enum(["aws"]).default("aws").describe("Slipway submits to Amazon SageMaker only."),
    region: text()
      .regex(/^[a-z]{2,4}(-[a-z]+)+-\d+$/, { error: "is not an AWS region, for instance us-east-1" })
      .optional()
      .describe("The AWS region of the training jobs. Left out: what the AWS SDK finds (AWS_REGION, the profile)."),
    profile: text()
      .optional()
      .describe("A profile of ~/.aws/config. Left out: the SDK's own choice (AWS_PROFILE, the role of the machine)."),
  },
  { error: "must be a block of keys" },
);

const registry = z.strictObject(
  {
    type: z.enum(["ecr"]).default("ecr").describe("SageMaker takes its images from Amazon ECR."),
    uri: text().optional().describe("The repository for built images: its URI or its ARN, without a tag."),
    account_id: z
      .union([z.string(), z.int()], { error: "must be the twelve digits of an account, in quotes" })
      .optional()
      .describe("With region and repo_name, instead of uri. Quote it."),
    region: text().optional().describe("Left out: environment.region."),
    repo_name: text().optional().describe("The repository's name."),
    repository: text().optional().describe("The same as repo_name."),
  },
  { error: "must be a block of keys" },
);

const kanikoKey = (about: string) => text().optional().describe(about);
const builder = z.strictObject(
  {
    type: z
      .enum(["layer", "docker", "kaniko", "noop"])
      .default("layer")
      .describe(
        "layer: put code and dependencies on a base image, without Docker. docker: have a container engine (DOCKER_HOST) run the code's Dockerfile, or one that Slipway writes. kaniko: build inside Kubernetes. noop: never build; only items with an image run.",
      ),
    base: text()
      .optional()
      .describe(
        "The base image of code without a Dockerfile, or (layer) host: an image of the code alone that only a local runtime can run.",
      ),
    platform: z
      .enum(["linux/amd64", "linux/arm64"])
      .optional()
      .describe("The platform of built images. Left out: linux/amd64."),
    // YAML reads a bare 3.10 as the number 3.1: only a text is taken.
    python: text('must be a text in quotes, such as "3.11"')
      .regex(/^3\.\d+$/, 'is not a Python version in quotes, such as "3.11"')
      .optional()
      .describe('The Python version in the base image, in quotes ("3.11"). Left out: read from the image.'),
    destination: text()
      .optional()
      .describe("Where built images go, if not to registry: the URI or ARN of an ECR repository."),
    network: z
      .enum(["default", "host", "none"])
      .optional()
      .describe("docker: the network of the Dockerfile's steps. Left out: the engine's default."),
    secrets: z
      .record(
        z.string().regex(/^[\w.-]+$/, { error: "is not the name of a secret (letters, digits and . _ -)" }),
        z.union([z.strictObject({ env: text() }), z.strictObject({ file: text() })], {
          error: "must be {env: VARIABLE} or {file: PATH}",
        }),
        { error: "must be a block of names, each with {env: VARIABLE} or {file: PATH}" },
      )
      .optional()
      .describe(
        "docker: secrets that steps may read with RUN --mount=type=secret,id=NAME; they stay in no layer. pip_conf is pip's settings file in Dockerfiles that Slipway writes.",
      ),
    "build-context-store": kanikoKey("kaniko: where build contexts are kept (s3://...)."),
    build_context_store: kanikoKey("The same as build-context-store."),
    "build-job-name": kanikoKey("kaniko: prefix of the build job's name."),
    build_job_name: kanikoKey("The same as build-job-name."),
    "secret-name": kanikoKey("kaniko: the Kubernetes secret with the registry's credentials."),
    secret_name: kanikoKey("The same as secret-name."),
    "secret-key": kanikoKey("kaniko: the key inside that secret."),
    secret_key: kanikoKey("The same as secret-key."),
    "kaniko-image": kanikoKey("kaniko: the executor's image."),
    kaniko_image: kanikoKey("The same as kaniko-image."),
    "kaniko-config": z
      .record(z.string(), z.unknown(), { error: "must be a block of keys" })
      .optional()
      .describe("kaniko: parts of the build job's Kubernetes spec."),
  },
  { error: "must be a block of keys" },
);

/** The shape of launch-config.yaml; the descriptions are the text of docs/reference/launch-config.md. */
export const launchConfigSchema = z.strictObject(
  {
    queues: z
      .array(text("must be the name of a queue"), { error: "must be a list of queue names, each behind a dash" })
      .default([])
      .describe("The queues that the agent serves."),
    queue: z
      .union([text(), z.array(text())], { error: "must be the name of a queue" })
      .optional()
      .describe("One queue; added to queues."),
    entity: text()
      .optional()
      .describe("The user or team that owns the queues. Left out: WANDB_ENTITY, else the API key's own entity."),
    project: text().optional().describe("Taken for the wandb agent's sake; queues belong to the entity."),
    max_jobs: count.default(1).describe("Training jobs at once; -1 for no limit."),
    max_schedulers: count.default(1).describe("Sweep schedulers at once; -1 for no limit."),
    secure_mode: z
      .boolean({ error: "must be true or false" })
      .default(false)
      .describe("Refuse items that override the entry point or arguments of their image."),
    environment: environment.optional().describe("Where the training jobs run."),
    registry: registry.optional().describe("Where built images are pushed."),
    builder: builder.optional().describe("How code becomes an image."),
    verbosity: z
      .int({ error: "must be 0, 1 or 2" })
      .min(0, { error: "must be 0, 1 or 2" })
      .max(2, { error: "must be 0, 1 or 2" })
      .default(0)
      .describe("0: what happens to items. 1: also why. 2: everything."),
    stopped_run_timeout: z
      .int({ error: "must be a whole number of seconds" })
      .min(0, { error: "must not be negative" })
      .default(60)
      .describe("Seconds that a run which was asked to stop has to end by itself before StopTrainingJob."),
    base_url: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .optional()
      .describe("The server's address. Left out: WANDB_BASE_URL."),
  },
  { error: "The file must be a block of keys (queues, environment, registry, builder, ...)" },
);

const SECTIONS: Readonly<Record<string, z.ZodObject>> = { environment, registry, builder };

/** The keys of the section at `path` (empty: the top level). */
export function sectionKeys(path: readonly string[]): string[] {
  const section = path.length === 0 ? launchConfigSchema : SECTIONS[path.join(".")];
  return section === undefined ? [] : Object.keys(section.shape);
}

/** Every key with its full name: `max_jobs`, `builder.type`, ... */
export const LAUNCH_CONFIG_KEYS: readonly string[] = [
  ...sectionKeys([]),
  ...Object.keys(SECTIONS).flatMap((name) => sectionKeys([name]).map((key) => `${name}.${key}`)),
];
