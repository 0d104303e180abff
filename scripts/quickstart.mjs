#!/usr/bin/env node
// From a fresh clone to a trained model: installs, builds, starts everything on this machine and launches examples/digits.
//   --exit   stop everything at the end     --json   print one JSON object as the last line     --data DIR   where state lives
// Plain JavaScript, since it runs before `npm ci`.
import { spawn, spawnSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "..");
const bin = join(root, "bin/slipway");
const flags = parseFlags(process.argv.slice(2));
const dataDir = resolve(flags.data ?? join(root, ".slipway/quickstart"));
const example = join(root, "examples/digits");
const queue = "tutorial";
const seconds = {};
const children = [];
const colour = process.stderr.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);

function parseFlags(args) {
  const known = { exit: false, json: false, data: undefined };
  for (let place = 0; place < args.length; place++) {
    const name = args[place].replace(/^--/, "");
    if (name === "data") known.data = args[++place];
    else if (name === "exit" || name === "json") known[name] = true;
    else {
      console.error(`quickstart: unknown argument ${args[place]}; it takes --exit, --json and --data DIR`);
      process.exit(2);
    }
  }
  return known;
}

function say(text) {
  console.error(`${paint(36, "quickstart")} ${text}`);
}

class Stop extends Error {}

/** Times a step, for the report and for the reader. */
async function step(name, text, run) {
  say(text);
  const startedAt = performance.now();
  const result = await run();
  seconds[name] = Number(((performance.now() - startedAt) / 1000).toFixed(2));
  return result;
}

function checkSurroundings() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new Stop(`Node ${process.versions.node} is too old; 20.19 or newer is needed`);
  if (process.platform !== "linux")
    throw new Stop(
      "the local AWS runs training jobs in Linux namespaces; on this system use a Linux machine or container",
    );
  const python = spawnSync("python3", ["-m", "pip", "--version"]);
  if (python.status !== 0) throw new Stop("python3 with pip is needed (Debian: apt-get install python3 python3-pip)");
  if (spawnSync("bwrap", ["--version"]).status !== 0 && spawnSync("unshare", ["--version"]).status !== 0) {
    throw new Stop("bubblewrap or util-linux's unshare is needed (Debian: apt-get install bubblewrap)");
  }
}

/** Runs a program to its end; its output is shown only if it fails, since it is not what the person came for. */
function quietly(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    ...options,
  });
  if (status === 0) return stdout;
  console.error(`${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
  throw new Stop(`${command} ${args.join(" ")} ended with exit code ${status}`);
}

function isBuilt() {
  const main = join(root, "dist/cli/main.js");
  if (!existsSync(main)) return false;
  const builtAt = statSync(main).mtimeMs;
  return readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .every((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs <= builtAt);
}

/** The port if it is free, else any free one. */
async function freePort(wanted) {
  const listens = (port) =>
    new Promise((done) => {
      const server = createServer();
      server.once("error", () => done(undefined));
      server.listen(port, "127.0.0.1", () => {
        const { port: given } = server.address();
        server.close(() => done(given));
      });
    });
  return (await listens(wanted)) ?? (await listens(0));
}

/** Starts a part of Slipway that goes on running; its output goes to a log file. */
function start(name, args, env = process.env) {
  const child = spawn(process.execPath, [bin, ...args], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const part = { name, child, output: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (part.output += chunk));
  children.push(part);
  return part;
}

async function until(part, isReady) {
  while (!(await isReady())) {
    if (part.child.exitCode !== null) throw new Stop(`${part.name} ended:\n${part.output}`);
    await sleep(50);
  }
}

function slipwayJson(args) {
  return JSON.parse(quietly(process.execPath, [bin, ...args, "--data", dataDir, "--json"]));
}

async function uploadData(env) {
  const folder = join(dataDir, "digits");
  mkdirSync(folder, { recursive: true });
  quietly("python3", [join(example, "prepare.py"), "--out", folder]);
  const { S3Client, PutObjectCommand } = await import("@aws-sdk/client-s3");
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
  const s3 = new S3Client({ endpoint: env.AWS_ENDPOINT_URL, region: env.AWS_REGION, credentials });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name))) {
    await s3.send(
      new PutObjectCommand({
        Bucket: env.SLIPWAY_BUCKET,
        Key: `digits/${relative(folder, path)}`,
        Body: createReadStream(path),
        ContentLength: statSync(path).size,
      }),
    );
  }
  s3.destroy();
}

/** The launch-config.yaml of an agent of this machine, and the ECR repository that it names. */
async function prepareAgent(env) {
  const { ensureRepository, launchConfigText, REPOSITORY } = await import("../dist/cli/first-queue.js");
  const localAws = {
    endpointUrl: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    ecrRegistry: env.SLIPWAY_ECR_REGISTRY,
  };
  await ensureRepository(localAws, REPOSITORY);
  const file = join(dataDir, "launch-config.yaml");
  writeFileSync(file, launchConfigText(queue, localAws));
  return file;
}

/** Follows the launch on the terminal and gives the item's id. */
async function launch() {
  const item = slipwayJson(["launch", example, "-q", queue, "-p", "digits", "--name", "digits"]);
  const follow = spawn(process.execPath, [bin, "logs", item.id, "-f", "--data", dataDir], { stdio: ["ignore", 2, 2] });
  await new Promise((done) => follow.once("exit", done));
  return slipwayJson(["item", "show", item.id]);
}

/** Seconds in each phase, from the item's timeline. */
function phaseSeconds(item) {
  const spent = {};
  const entries = item.timeline.filter((entry) => entry.phase !== null && entry.phase !== undefined);
  for (const [place, entry] of entries.entries()) {
    const next = entries[place + 1];
    if (entry.phase === "settled" || next === undefined) continue;
    spent[entry.phase] = Number(
      ((spent[entry.phase] ?? 0) + Math.max(0, Date.parse(next.at) - Date.parse(entry.at)) / 1000).toFixed(3),
    );
  }
  return spent;
}

function accuracyOf(item) {
  const metrics = item.training?.finalMetrics ?? [];
  return metrics.find((metric) => metric.MetricName === "validation:accuracy")?.Value;
}

async function stopAll() {
  for (const { child } of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }
}

async function main() {
  await step("check", "looking at this machine", checkSurroundings);
  await step("install", "installing npm packages", () => {
    if (!existsSync(join(root, "node_modules/.package-lock.json"))) quietly("npm", ["ci", "--no-audit", "--no-fund"]);
  });
  await step("build", "building", () => isBuilt() || quietly(process.execPath, [join(root, "scripts/build.mjs")]));
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const env = await step("up", "starting the server and the local AWS", async () => {
    const ports = ["--port", String(await freePort(8080)), "--local-aws-port", String(await freePort(4566))];
    const up = start("slipway up", ["up", "--data", dataDir, "--no-agent", ...ports]);
    await until(up, () => up.output.includes("Ctrl-C stops"));
    return slipwayJson(["env"]);
  });
  await step("data", "putting the digits data set into S3", () => uploadData(env));
  await step("queue", `creating queue ${queue} with a CreateTrainingJob config`, async () => {
    const exists = slipwayJson(["queue", "list"]).some((one) => one.name === queue);
    const defaults = ["--set-default", `role=${env.SLIPWAY_ROLE_ARN}`, "--set-default", `bucket=${env.SLIPWAY_BUCKET}`];
    slipwayJson(["queue", exists ? "update" : "create", queue, "-f", join(example, "queue.yaml"), ...defaults]);
  });
  await step("agent", "starting an agent with a launch-config.yaml", async () => {
    const agent = start("slipway launch-agent", ["launch-agent", "-c", await prepareAgent(env), "--data", dataDir], {
      ...process.env,
      ...env,
    });
    await until(agent, () => agent.output.includes("serves"));
  });
  const item = await step("job", "launching examples/digits", launch);
  Object.assign(seconds, phaseSeconds(item));

  const result = {
    item: item.id,
    runId: item.runId,
    state: item.state.toLowerCase(),
    trainingJobName: item.training?.name,
    trainingJobStatus: item.training?.status,
    model: item.training?.modelArtifacts,
    accuracy: accuracyOf(item),
    seconds,
  };
  console.error(`\n${item.explanation.summary}`);
  if (item.explanation.next) console.error(item.explanation.next);
  say(
    `training job ${result.trainingJobName} ${result.trainingJobStatus}, accuracy ${result.accuracy}, model ${result.model}`,
  );
  if (!flags.exit) {
    say(`everything runs on: server ${env.WANDB_BASE_URL}, local AWS ${env.AWS_ENDPOINT_URL}`);
    say(`in another terminal:  export PATH="${join(root, "bin")}:$PATH"; eval "$(slipway env --data ${dataDir})"`);
    say("Ctrl-C stops everything");
  }
  if (flags.json) console.log(JSON.stringify(result));
  if (!flags.exit) {
    await new Promise((done) => {
      for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, done);
    });
  }
  return item.state === "FINISHED" ? 0 : 1;
}

let exitCode = 1;
try {
  exitCode = await main();
} catch (error) {
  console.error(`${paint(31, "quickstart")} ${error instanceof Stop ? error.message : error.stack}`);
}
await stopAll();
process.exit(exitCode);
