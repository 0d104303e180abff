import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DescribeTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { pythonPeers } from "../../test/support/python-peers.ts";
import { addressOf, type Started, startSlipway, until } from "../../test/support/slipway.ts";
import { awsVariables, openWorld, temporaryDirectory, type World } from "../../test/support/world.ts";

/** Pushes to the peer: it polls every 10 s, so each takes some 5 s. */
const PEER_PUSHES = 10;
const PEER_POLL_MS = 10_000;

/**
 * How long a push takes to become a training job: from the moment before pushToRunQueueByName is sent to the CreationTime that
 * SageMaker (the local one) gives the job, with an idle agent. Server, AWS and agents are processes of their own; the peer
 * is the unmodified agent of the wandb package, on the same server and AWS, in the same run. Writes RESULTS.md.
 */
export async function run(args: readonly string[]): Promise<void> {
  const pushes = Number(args[0] ?? 50);
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
      await opened.queue("ours");
      await opened.queue("peer");
      return opened;
    });
    const image = await imageOf(world, dataDir, parts);
    const ours: number[] = [];
    for (let i = 0; i < pushes; i++) {
      ours.push(await once(world, "ours", image));
      // At a random moment, and to an agent that is idle again.
      await sleep(100 + Math.random() * 400);
    }
    const peer = await peerTimes(world, dataDir, image);
    report(figures(ours), figures(peer));
  } finally {
    for (const part of parts.reverse()) await part.end();
    await directory.remove();
  }
}

/** Starts our agent and has it build the image that all pushes use. */
async function imageOf(world: World, dataDir: string, parts: Started[]): Promise<string> {
  const code = join(dataDir, "code");
  mkdirSync(code);
  writeFileSync(join(code, "train.py"), "print('done')\n");
  const config = join(dataDir, "launch-config.yaml");
  const repository = await world.repository("bench");
  writeFileSync(config, `registry: {type: ecr, uri: ${repository}}\nbuilder: {type: layer, base: host}\n`);
  const agent = startSlipway(dataDir, ["launch-agent", "-q", "ours", "-c", config, "--data", dataDir], {
    env: { ...awsVariables(world.aws), WANDB_BASE_URL: world.client.baseUrl, WANDB_API_KEY: keyOf(dataDir) },
  });
  parts.push(agent);
  const item = await world.settled(await world.pushCode("ours", code, ["python3", "train.py"]));
  if (item.state !== "FINISHED") throw new Error(`the first job failed: ${item.message}\n${agent.output()}`);
  return item.training?.imageUri ?? "";
}

async function peerTimes(world: World, dataDir: string, image: string): Promise<number[]> {
  const { wandb } = await pythonPeers();
  const config = join(dataDir, "peer-config.yaml");
  const { region, ecrRegistry } = world.aws;
  writeFileSync(
    config,
    `max_jobs: -1\nqueues: [peer]\nentity: ${world.entity}\nenvironment: {type: aws, region: ${region}}\nregistry: {type: ecr, uri: ${ecrRegistry}/bench}\nbuilder: {type: noop}\n`,
  );
  const agent = spawn(wandb, ["launch-agent", "-q", "peer", "-e", world.entity, "-c", config], {
    env: {
      PATH: process.env.PATH,
      HOME: dataDir,
      WANDB_DIR: dataDir,
      WANDB_BASE_URL: world.client.baseUrl,
      WANDB_API_KEY: keyOf(dataDir),
      ...awsVariables(world.aws),
    },
    cwd: dataDir,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  try {
    await untilItPolls(agent);
    const times: number[] = [];
    for (let i = 0; i < PEER_PUSHES; i++) {
      await sleep(Math.random() * PEER_POLL_MS);
      times.push(await once(world, "peer", image));
    }
    return times;
  } finally {
    // The whole group: wandb-core is a child of its own.
    if (agent.pid !== undefined && agent.exitCode === null) process.kill(-agent.pid, "SIGKILL");
  }
}

function untilItPolls(agent: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (chunk: Buffer) => {
      text += chunk;
      if (/polling/i.test(text)) resolve();
    };
    agent.stdout?.on("data", hear);
    agent.stderr?.on("data", hear);
    agent.once("close", () => reject(new Error(`the peer ended:\n${text}`)));
  });
}

/** Milliseconds from before the push to the training job's creation. */
async function once(world: World, queue: string, image: string): Promise<number> {
  const from = Date.now();
  const { runId } = await world.item(await world.pushImage(queue, image));
  const job = await until(`a training job for ${runId}`, () =>
    world.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: runId })),
  );
  if (queue === "ours") await world.settled(runId);
  return (job.CreationTime?.getTime() ?? Number.NaN) - from;
}

function keyOf(dataDir: string): string {
  return (JSON.parse(readFileSync(join(dataDir, "credentials.json"), "utf8")) as { apiKey: string }).apiKey;
}

interface Figures {
  readonly pushes: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

function figures(times: readonly number[]): Figures {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { pushes: times.length, min: at(0), median: at(0.5), p95: at(0.95), max: at(1) };
}

function report(ours: Figures, peer: Figures): void {
  const row = (name: keyof Figures) =>
    `| ${name} | ${ours[name]} | ${peer[name]} | ${name === "pushes" ? "" : `${Math.round(peer[name] / ours[name])} x`} |`;
  const table = [
    "| push to CreateTrainingJob, ms | Slipway | wandb launch-agent 0.31.0 | ratio |",
    "|---|---|---|---|",
    ...(["min", "median", "p95", "max", "pushes"] as const).map(row),
  ].join("\n");
  console.log(table);
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const text = `# From push to CreateTrainingJob

${table}

Measured on ${new Date().toISOString().slice(0, 10)}: ${machine}. Both agents were idle, on the same server (SQLite) and local AWS, in one run,
each a process of its own, at random moments; the image is prebuilt. Run it: \`npm run bench -- dispatch\`.
`;
  writeFileSync(join(import.meta.dirname, "RESULTS.md"), text);
}
