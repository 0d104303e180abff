import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Finished, type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** Mistakes that are refused when they are made: each with its code, its place and the cure. */

let dataDir: string;
let work: string;
let up: Started;
let blocker: Server;
let takenPort: number;

const body = {
  RoleArn: "arn:aws:iam::123456789012:role/SlipwaySageMakerExecution",
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 2 },
  OutputDataConfig: { S3OutputPath: "s3://slipway-123456789012-us-east-1/output" },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-refused-"));
  work = join(dataDir, "work");
  await mkdir(join(work, "code"), { recursive: true });
  await mkdir(join(work, "nothing-to-run"), { recursive: true });
  await writeFile(join(work, "code/train.py"), "print('trained')\n");
  await writeFile(join(work, "nothing-to-run/notes.txt"), "no script\n");
  up = await slipwayUp(dataDir, ["--no-agent"]);
  await put("good.yaml", JSON.stringify(body));
  await put(
    "variables.yaml",
    JSON.stringify({
      resource_config: { ...body, StoppingCondition: { MaxRuntimeInSeconds: "{{seconds}}" } },
      template_variables: { seconds: { schema: { type: "integer", minimum: 60, maximum: 3600 } } },
    }),
  );
  await ok(["queue", "create", "gpu", "-f", "good.yaml"]);
  await ok(["queue", "create", "variables", "-f", "variables.yaml"]);
  blocker = createServer();
  takenPort = await new Promise((resolve) =>
    blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port)),
  );
});

afterAll(async () => {
  blocker?.close();
  await up?.end();
});

async function put(name: string, text: string): Promise<void> {
  await writeFile(join(work, name), text);
}

function command(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return slipway(dataDir, args, { cwd: work, env });
}

async function ok(args: readonly string[]): Promise<void> {
  const finished = await command(args);
  expect(finished.stderr).toBe("");
  expect(finished.code).toBe(0);
}

interface Refusal {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: string;
  readonly exit: number;
  /** All of these stand in what the person sees. */
  readonly says: readonly (string | RegExp)[];
  readonly file?: { readonly name: string; readonly text: string };
  readonly env?: Record<string, string>;
}

const json = (changes: object) => JSON.stringify({ ...body, ...changes }, null, 2);
const queueFile = (name: string, text: string): Pick<Refusal, "file" | "args"> => ({
  file: { name, text },
  args: ["queue", "create", name.replace(/\.\w+$/, ""), "-f", name],
});
const agentConfig = (name: string, text: string): Pick<Refusal, "file" | "args"> => ({
  file: { name, text },
  args: ["launch-agent", "-c", name],
});

const refusals: readonly Refusal[] = [
  // launch-config.yaml
  {
    name: "an unknown key of launch-config.yaml",
    ...agentConfig("key.yaml", "queues: [gpu]\nmax_job: 3\n"),
    code: "LAUNCH_CONFIG_INVALID",
    exit: 2,
    says: ["2:1", "max_job", "max_jobs"],
  },
  {
    name: "a launch-config.yaml that is no YAML",
    ...agentConfig("syntax.yaml", "queues:\n\t- gpu\n"),
    code: "LAUNCH_CONFIG_INVALID",
    exit: 2,
    says: ["2:1", /tab/i],
  },
  {
    name: "a placeholder left in launch-config.yaml",
    ...agentConfig("placeholder.yaml", "queues:\n  - <queue-name>\n"),
    code: "LAUNCH_CONFIG_INVALID",
    exit: 2,
    says: ["2:5", "<queue-name>"],
  },
  {
    name: "a registry that is not ECR's",
    ...agentConfig("registry.yaml", "queues: [gpu]\nregistry: {type: ecr, uri: docker.io/me/repo}\n"),
    code: "LAUNCH_CONFIG_INVALID",
    exit: 2,
    says: ["2:", "docker.io/me/repo", "dkr.ecr"],
  },
  {
    name: "max_jobs as a word",
    ...agentConfig("jobs.yaml", "queues: [gpu]\nmax_jobs: many\n"),
    code: "LAUNCH_CONFIG_INVALID",
    exit: 2,
    says: ["2:", "max_jobs"],
  },
  {
    name: "a launch-config.yaml that is not there",
    args: ["launch-agent", "-c", "nowhere.yaml"],
    code: "FILE_NOT_FOUND",
    exit: 2,
    says: ["nowhere.yaml"],
  },
  {
    name: "no job at once",
    args: ["launch-agent", "-q", "gpu", "-j", "0"],
    code: "USAGE",
    exit: 2,
    says: ["--max-jobs", "-1"],
  },
  {
    name: "an agent of a queue that is not there",
    args: ["launch-agent", "-q", "gpi"],
    code: "AGENT_QUEUE_UNKNOWN",
    exit: 3,
    says: ["gpi", "gpu"],
  },
  // the queue's config
  {
    name: "an unknown member of CreateTrainingJob",
    ...queueFile(
      "member.json",
      json({ ResourceConfig: { InstanceTyp: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 2 } }),
    ),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["ResourceConfig.InstanceTyp", "InstanceType", /\d+:\d+/],
  },
  {
    name: "no role",
    ...queueFile("role.json", json({ RoleArn: undefined })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["RoleArn"],
  },
  {
    name: "a role's name in place of its ARN",
    ...queueFile("rolename.json", json({ RoleArn: "my-role" })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["RoleArn", "arn:aws:iam"],
  },
  {
    name: "a placeholder left in the config",
    ...queueFile("required.json", json({ OutputDataConfig: { S3OutputPath: "<REQUIRED>" } })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["OutputDataConfig.S3OutputPath", "<REQUIRED>"],
  },
  {
    name: "an instance type that does not exist",
    ...queueFile(
      "instance.json",
      json({ ResourceConfig: { InstanceType: "ml.m5.larg", InstanceCount: 1, VolumeSizeInGB: 2 } }),
    ),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["ResourceConfig.InstanceType", "ml.m5.large"],
  },
  {
    name: "an output path that is not in S3",
    ...queueFile("path.json", json({ OutputDataConfig: { S3OutputPath: "/tmp/output" } })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["OutputDataConfig.S3OutputPath", "s3://"],
  },
  {
    name: "spot without a limit on waiting",
    ...queueFile("spot.json", json({ EnableManagedSpotTraining: true })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["MaxWaitTimeInSeconds"],
  },
  {
    name: "waiting shorter than running",
    ...queueFile(
      "wait.json",
      json({
        EnableManagedSpotTraining: true,
        StoppingCondition: { MaxRuntimeInSeconds: 600, MaxWaitTimeInSeconds: 60 },
      }),
    ),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["MaxWaitTimeInSeconds", "MaxRuntimeInSeconds"],
  },
  {
    name: "an environment value that is too long",
    ...queueFile("long.json", json({ Environment: { LONG: "x".repeat(513) } })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["Environment.LONG", "512"],
  },
  {
    name: "a queue file that is no YAML",
    ...queueFile("broken.yaml", "RoleArn: [\n"),
    code: "QUEUE_FILE_INVALID",
    exit: 2,
    says: [/\d+:\d+/],
  },
  {
    name: "a macro that does not exist",
    ...queueFile("macro.json", json({ OutputDataConfig: { S3OutputPath: "s3://b/${run_ids}" } })),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["OutputDataConfig.S3OutputPath", "run_ids", "run_id"],
  },
  {
    name: "a template variable that is not declared",
    ...queueFile(
      "undeclared.json",
      json({ ResourceConfig: { InstanceType: "{{kind}}", InstanceCount: 1, VolumeSizeInGB: 2 } }),
    ),
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["kind"],
  },
  {
    name: "a queue that exists",
    args: ["queue", "create", "gpu", "-f", "good.yaml"],
    code: "QUEUE_EXISTS",
    exit: 3,
    says: ["gpu"],
  },
  {
    name: "an update of a queue that does not exist",
    args: ["queue", "update", "gpi", "-f", "good.yaml"],
    code: "QUEUE_NOT_FOUND",
    exit: 3,
    says: ["gpi", "gpu"],
  },
  // a push
  {
    name: "a push to a queue that does not exist",
    args: ["launch", "code", "-q", "gpi"],
    code: "QUEUE_NOT_FOUND",
    exit: 3,
    says: ["gpi", "gpu"],
  },
  {
    name: "a template value out of bounds",
    args: ["launch", "code", "-q", "variables", "--set-var", "seconds=5"],
    code: "TEMPLATE_VALUES_INVALID",
    exit: 2,
    says: ["seconds", "60"],
  },
  {
    name: "a template variable that the queue does not know",
    args: ["launch", "code", "-q", "variables", "--set-var", "second=100"],
    code: "TEMPLATE_VALUES_INVALID",
    exit: 2,
    says: ["second", "seconds"],
  },
  {
    name: "a template value that is missing",
    args: ["launch", "code", "-q", "variables"],
    code: "TEMPLATE_VALUES_INVALID",
    exit: 2,
    says: ["seconds"],
  },
  {
    name: "a source that is not there",
    args: ["launch", "cod", "-q", "gpu"],
    code: "SOURCE_NOT_FOUND",
    exit: 2,
    says: ["cod"],
  },
  {
    name: "a directory with nothing to run",
    args: ["launch", "nothing-to-run", "-q", "gpu"],
    code: "ENTRY_POINT_MISSING",
    exit: 2,
    says: ["train.py", "--entry-point"],
  },
  { name: "nothing to launch", args: ["launch", "-q", "gpu"], code: "USAGE", exit: 2, says: ["-d IMAGE"] },
  {
    name: "overrides that are no JSON",
    args: ["launch", "code", "-q", "gpu", "-c", "{lr: 1}"],
    code: "JSON_ARGUMENT_INVALID",
    exit: 2,
    says: ["--config"],
  },
  {
    name: "a priority that does not exist",
    args: ["launch", "code", "-q", "gpu", "-P", "hihg"],
    code: "USAGE",
    exit: 2,
    says: ["hihg", "high"],
  },
  {
    name: "a CreateTrainingJob member of one push that does not exist",
    args: ["launch", "code", "-q", "gpu", "-R", '{"HyperParameter": {"lr": "1"}}'],
    code: "RESOURCE_CONFIG_INVALID",
    exit: 2,
    says: ["HyperParameter", "HyperParameters"],
  },
  {
    name: "an open quote in the entry point",
    args: ["launch", "code", "-q", "gpu", "-E", "python3 'train.py"],
    code: "USAGE",
    exit: 2,
    says: ["--entry-point"],
  },
  // items, agents, accounts
  {
    name: "an item that does not exist",
    args: ["item", "show", "zzzzzzzz"],
    code: "ITEM_NOT_FOUND",
    exit: 3,
    says: ["zzzzzzzz"],
  },
  {
    name: "a state that does not exist",
    args: ["item", "list", "--state", "PENDNG"],
    code: "USAGE",
    exit: 2,
    says: ["PENDNG", "PENDING"],
  },
  {
    name: "an agent that does not exist",
    args: ["agent", "stop", "nobody"],
    code: "AGENT_NOT_FOUND",
    exit: 3,
    says: ["nobody"],
  },
  {
    name: "an API key that is too short",
    args: ["admin", "user", "create", "ana", "--api-key", "short"],
    code: "API_KEY_INVALID",
    exit: 2,
    says: ["40"],
  },
  {
    name: "a user's name that is taken",
    args: ["admin", "user", "create", "admin"],
    code: "NAME_TAKEN",
    exit: 3,
    says: ["admin"],
  },
  {
    name: "a role that does not exist",
    args: ["admin", "team", "create", "t", "--member", "admin:owner"],
    code: "USAGE",
    exit: 2,
    says: ["owner", "viewer"],
  },
  // the surroundings
  {
    name: "a wrong API key",
    args: ["queue", "list"],
    env: { WANDB_API_KEY: "w".repeat(40) },
    code: "UNAUTHENTICATED",
    exit: 3,
    says: ["login"],
  },
  {
    name: "a server that does not answer",
    args: ["queue", "list"],
    env: { WANDB_BASE_URL: "http://127.0.0.1:9", WANDB_API_KEY: "w".repeat(40) },
    code: "SERVER_UNREACHABLE",
    exit: 4,
    says: ["http://127.0.0.1:9", "slipway up"],
  },
  {
    name: "a data directory where nothing runs",
    args: ["env", "--data", "/nonexistent/slipway"],
    code: "NOTHING_IN_DATA_DIR",
    exit: 4,
    says: ["/nonexistent/slipway"],
  },
];

describe("a mistake is refused when it is made", () => {
  it.each(refusals)("$name: $code", async ({ args, code, exit, says, file, env }) => {
    if (file !== undefined) await put(file.name, file.text);
    const [forPeople, forPrograms] = await Promise.all([command(args, env), command([...args, "--json"], env)]);
    expect(forPeople.stderr).toContain(code);
    for (const words of says)
      expect(forPeople.stderr).toMatch(words instanceof RegExp ? words : new RegExp(literally(words)));
    expect(forPeople.code).toBe(exit);
    // launch-agent prints for people only: nothing reads it.
    if (args[0] === "launch-agent") return;
    const printed = JSON.parse(forPrograms.stdout) as { error: { code: string; hint: string } };
    expect(printed.error.code).toBe(code);
    expect(printed.error.hint).not.toBe("");
  });

  it("a port that is taken: PORT_TAKEN", async () => {
    const other = await mkdtemp(join(tmpdir(), "slipway-port-"));
    for (const part of ["server", "local-aws"]) {
      const { stderr, code } = await command([part, "--data", other, "--port", String(takenPort)]);
      expect(stderr).toContain("PORT_TAKEN");
      expect(stderr).toContain(String(takenPort));
      expect(code).toBe(4);
    }
  });

  it("a second server on one data directory: DATA_DIR_IN_USE", async () => {
    const { stderr, code } = await command(["server", "--data", dataDir, "--port", "0"]);
    expect(stderr).toContain("DATA_DIR_IN_USE");
    expect(code).toBe(4);
  });
});

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
