import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DescribeTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { addressOf, type Started, startSlipway, until } from "../../test/support/slipway.ts";
import { awsVariables, openWorld, temporaryDirectory, type World } from "../../test/support/world.ts";

/**
 * How long a push takes to become a training job: from the moment before pushToRunQueueByName is sent to the
 * CreationTime that SageMaker (the local one) gives the job, with an idle agent. Server, AWS and agent are processes of
 * their own. The wandb agent polls every 10 s: 4.7 to 5.0 s at the median, 9.8 s at most, measured on the same kind of
 * machine (2 cores).
 */
export async function run(args: readonly string[]): Promise<void> {
  const pushes = Number(args[0] ?? 30);
  const directory = await temporaryDirectory("bench");
  const dataDir = directory.path;
  const parts: Started[] = [];
  try {
    for (const part of ["local-aws", "server"] as const) {
      const started = startSlipway(dataDir, [part, "--port", "0", "--data", dataDir]);
      parts.push(started);
      await until(part, () => addressOf(dataDir, part), started);
    }
    const world = await until("the world", async () => {
      const opened = await openWorld(dataDir);
      await opened.queue("bench");
      return opened;
    });
    const image = await imageOf(world, dataDir, parts);
    const times: number[] = [];
    for (let i = 0; i < pushes; i++) times.push(await once(world, image));
    report(times);
  } finally {
    for (const part of parts.reverse()) await part.end();
    await directory.remove();
  }
}

/** Starts the agent and has it build the image that all pushes use. */
async function imageOf(world: World, dataDir: string, parts: Started[]): Promise<string> {
  const code = join(dataDir, "code");
  mkdirSync(code);
  writeFileSync(join(code, "train.py"), "print('done')\n");
  const config = join(dataDir, "launch-config.yaml");
  const repository = await world.repository("bench");
  writeFileSync(config, `registry: {type: ecr, uri: ${repository}}\nbuilder: {type: layer, base: host}\n`);
  const { apiKey } = JSON.parse(readFileSync(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string };
  const agent = startSlipway(dataDir, ["launch-agent", "-q", "bench", "-c", config, "--data", dataDir], {
    env: { ...awsVariables(world.aws), WANDB_BASE_URL: world.client.baseUrl, WANDB_API_KEY: apiKey },
  });
  parts.push(agent);
  const item = await world.settled(await world.pushCode("bench", code, ["python3", "train.py"]));
  if (item.state !== "FINISHED") throw new Error(`the first job failed: ${item.message}\n${agent.output()}`);
  return item.training?.imageUri ?? "";
}

async function once(world: World, image: string): Promise<number> {
  const from = Date.now();
  const id = await world.pushImage("bench", image);
  const { runId } = await world.settled(id);
  const job = await world.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: runId }));
  return (job.CreationTime?.getTime() ?? Number.NaN) - from;
}

function report(times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const [min, median, p90, max] = [sorted[0], at(0.5), at(0.9), sorted.at(-1)];
  console.log(
    `push to CreateTrainingJob, idle agent, ${times.length} pushes (ms): min ${min}, median ${median}, p90 ${p90}, max ${max}`,
  );
  console.log(JSON.stringify({ bench: "dispatch", unit: "ms", pushes: times.length, min, median, p90, max }));
}
