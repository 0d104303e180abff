import { execFile } from "node:child_process";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SageMakerClient, StopTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { pino } from "pino";
import { extract } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDockerEngine } from "../../../src/local-aws/runtimes/docker-engine.ts";
import { createEngineImages } from "../../../src/local-aws/runtimes/docker-images.ts";
import { type DockerEngine, startDockerEngine } from "../../support/docker.ts";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { createJob, logLines, runJob, trainingRequest, untilEnd, untilLine } from "../../support/training-job.ts";

const run = promisify(execFile);

/** The image's own program: what SageMaker's contract gives it, its credentials fetched, its model written. */
const TRAIN = `#!/usr/bin/python3
import json, os, socket, sys, urllib.request
print(sys.argv[1:], socket.gethostname(), os.environ["FROM_IMAGE"], os.environ["MINE"], flush=True)
request = urllib.request.Request(
    os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
)
with urllib.request.urlopen(request) as answer:
    print("role", json.load(answer)["RoleArn"], file=sys.stderr, flush=True)
print("x" * 40000, flush=True)
with open("/opt/ml/model/weights", "w") as file:
    json.dump(json.load(open("/opt/ml/input/config/hyperparameters.json")), file)
`;

const TALK = `
import json, socket, time
config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
me = config["current_host"]
print(me, config["hosts"], socket.gethostname(), flush=True)
if me == "algo-1":
    with socket.create_server(("algo-1", 9100)) as server:
        connection, _ = server.accept()
        print("got", connection.recv(100).decode(), flush=True)
else:
    while True:
        try:
            with socket.create_connection(("algo-1", 9100), timeout=1) as connection:
                connection.sendall(b"weights of " + me.encode())
            break
        except OSError:
            time.sleep(0.05)
try:
    socket.create_connection(("127.0.0.1", AWS), timeout=1).close()
    print("local AWS in reach", flush=True)
except OSError:
    print("nothing else in reach", flush=True)
`;

let engine: DockerEngine;
let aws: TestLocalAws;
let image: string;

beforeAll(async () => {
  engine = await startDockerEngine();
  aws = await startTestLocalAws({
    settings: { PATH: process.env.PATH!, DOCKER_HOST: engine.host, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "0.5" },
  });
  await engine.makeBaseImage("base:test");
  await engine.docker(["build", "-t", "only-here:1", "-"], dockerfile());
  image = await push("only-here:1", "prebuilt");
});

afterAll(async () => {
  await aws?.close();
  await engine?.close();
});

/** Given on standard input, so that the image needs no files beside it. */
function dockerfile(): string {
  const script = Buffer.from(TRAIN).toString("base64");
  const write = `import base64; open('/usr/local/bin/train','wb').write(base64.b64decode('${script}'))`;
  return [
    "FROM base:test",
    "ENV FROM_IMAGE=yes",
    `RUN ["/usr/bin/python3", "-c", "${write}; import os; os.chmod('/usr/local/bin/train', 0o755)"]`,
    'ENTRYPOINT ["/usr/local/bin/train", "first"]',
    'CMD ["never run"]',
  ].join("\n");
}

async function push(local: string, repository: string): Promise<string> {
  const ecr = new ECRClient(aws.client);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: repository }));
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  const [user, password] = Buffer.from(authorizationData![0]!.authorizationToken!, "base64").toString().split(":");
  const registry = new URL(authorizationData![0]!.proxyEndpoint!).host;
  await engine.docker(["login", "-u", user!, "--password-stdin", registry], password!);
  await engine.docker(["tag", local, `${registry}/${repository}:v1`]);
  await engine.docker(["push", "-q", `${registry}/${repository}:v1`]);
  await engine.docker(["rmi", `${registry}/${repository}:v1`]);
  return `${aws.environment.ecrRegistry}/${repository}:v1`;
}

const shell = (script: string) => ["/bin/sh", "-c", script];

async function filesOf(uri: string): Promise<Record<string, string>> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(uri)!;
  const { Body } = await new S3Client(aws.client).send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const files: Record<string, string> = {};
  const archive = extract();
  archive.end(gunzipSync(await Body!.transformToByteArray()));
  for await (const entry of archive) {
    const content = await buffer(entry as unknown as AsyncIterable<Buffer>);
    if (entry.header.type === "file") files[entry.header.name] = content.toString();
  }
  return files;
}

/** What the engine has left of training jobs. */
async function leftovers(): Promise<string> {
  const filter = ["--filter", "label=io.slipway.training-job"];
  return (await engine.docker(["ps", "-aq", ...filter])) + (await engine.docker(["network", "ls", "-q", ...filter]));
}

async function expectToured(name: string, trainingImage: string): Promise<void> {
  const job = await runJob(
    aws,
    trainingRequest(aws, name, trainingImage, { HyperParameters: { epochs: "3" }, Environment: { MINE: "mine" } }),
  );
  expect(job.FailureReason).toBeUndefined();
  expect(job.TrainingJobStatus).toBe("Completed");
  const lines = await logLines(aws, name);
  const short = lines.map((line) => line.replace("x".repeat(40_000), "long line"));
  // The two streams are merged, but only the order within each is the program's.
  expect(short.sort()).toEqual(["['first', 'train'] algo-1 yes mine", "long line", `role ${aws.environment.roleArn}`]);
  expect(await filesOf(job.ModelArtifacts!.S3ModelArtifacts!)).toEqual({ weights: '{"epochs": "3"}' });
  expect(await leftovers()).toBe("");
}

test("an image of the local ECR is pulled by the engine and trains", async () => {
  await engine.docker(["rmi", "-f", "only-here:1"]);
  expect(await engine.docker(["images", "-q", "only-here"])).toBe("");
  await expectToured("from-ecr", image);
  expect(await engine.docker(["images", "--digests"])).toContain(`${new URL(aws.url).host}/prebuilt`);
});

test("an engine that cannot reach the local ECR is given the layers", async () => {
  const token = (await new ECRClient(aws.client).send(new GetAuthorizationTokenCommand({}))).authorizationData![0]!;
  const manifest = await fetch(`${token.proxyEndpoint}/v2/prebuilt/manifests/v1`, {
    headers: { authorization: `Basic ${token.authorizationToken}` },
  });
  const digest = manifest.headers.get("docker-content-digest")!;
  const { config, layers } = (await manifest.json()) as { config: { digest: string }; layers: { digest: string }[] };
  const blobPath = (blob: string) => {
    const hex = blob.replace("sha256:", "");
    return join(aws.dataDir, "local-aws/blobs/sha256", hex.slice(0, 2), hex);
  };
  // The base too, else the layers are there already.
  await engine.docker(["system", "prune", "-af"]);
  expect(await engine.docker(["images", "-aq"])).toBe("");
  const images = createEngineImages(
    createDockerEngine(engine.host),
    { host: () => "127.0.0.1:9", password: () => "none", blobPath },
    pino({ level: "silent" }),
  );
  const id = await images.ensure({
    digest,
    repository: "prebuilt",
    accountId: aws.environment.accountId,
    region: aws.environment.region,
    configDigest: config.digest,
    config: {},
    labels: {},
    platform: { os: "linux", architecture: "amd64" },
    layers: layers.map((layer) => ({ path: blobPath(layer.digest), mediaType: "", digest: layer.digest, size: 0 })),
  });
  expect(id).toBe(config.digest);
  await expectToured("from-archive", image);
});

test("layers compressed with zstd train too, whether or not the engine can pull them", async () => {
  const ecr = new ECRClient(aws.client);
  const token = (await ecr.send(new GetAuthorizationTokenCommand({}))).authorizationData![0]!;
  const credentials = Buffer.from(token.authorizationToken!, "base64").toString();
  await ecr.send(new CreateRepositoryCommand({ repositoryName: "zstd" }));
  const registry = `docker://${new URL(token.proxyEndpoint!).host}`;
  await run("skopeo", [
    ...["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"],
    ...["--src-creds", credentials, "--dest-creds", credentials],
    ...["--format", "oci", "--dest-compress-format", "zstd", `${registry}/prebuilt:v1`, `${registry}/zstd:v1`],
  ]);
  const manifest = await run("skopeo", [
    ...["inspect", "--raw", "--tls-verify=false", "--creds", credentials, `${registry}/zstd:v1`],
  ]);
  expect(manifest.stdout).toContain("application/vnd.oci.image.layer.v1.tar+zstd");
  await engine.docker(["system", "prune", "-af"]);
  await expectToured("from-zstd", `${aws.environment.ecrRegistry}/zstd:v1`);
});

test("an image that only the engine has trains", async () => {
  await engine.makeBaseImage("base:test");
  await engine.docker(["build", "-t", "only-here:2", "-"], dockerfile());
  await expectToured("from-engine", "only-here:2");
});

test("an image that is nowhere is refused", async () => {
  await expect(createJob(aws, trainingRequest(aws, "nowhere-1", "nowhere:1"))).rejects.toMatchObject({
    name: "ValidationException",
    message: expect.stringContaining("Invalid image URI nowhere:1."),
  });
  await expect(
    createJob(aws, trainingRequest(aws, "nowhere-2", `${aws.environment.ecrRegistry}/prebuilt:v2`)),
  ).rejects.toMatchObject({
    name: "ValidationException",
    message: expect.stringContaining("prebuilt:v2 not found in repository prebuilt"),
  });
});

test("code that fails, an entry point that is not there, a failure file", async () => {
  const plain = await runJob(aws, trainingRequest(aws, "exit-3", image, { entrypoint: shell("echo out; exit 3") }));
  expect([plain.TrainingJobStatus, plain.FailureReason]).toEqual(["Failed", "AlgorithmError: , exit code: 3"]);
  expect(await logLines(aws, "exit-3")).toEqual(["out"]);
  const told = await runJob(
    aws,
    trainingRequest(aws, "told", image, { entrypoint: shell("echo no data > /opt/ml/output/failure; exit 4") }),
  );
  expect(told.FailureReason).toBe("AlgorithmError: no data, exit code: 4");
  const missing = await runJob(aws, trainingRequest(aws, "missing", image, { entrypoint: ["no-such-program"] }));
  expect(missing.FailureReason).toBe("AlgorithmError: , exit code: 127");
  expect(await logLines(aws, "missing")).toEqual([
    expect.stringContaining('exec: "no-such-program": executable file not found in $PATH'),
  ]);
  expect(await leftovers()).toBe("");
});

test("read-only and pipe channels, checkpoints outside /opt/ml", async () => {
  const { bucket } = aws.environment;
  const s3 = new S3Client(aws.client);
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "data/a", Body: "one\n" }));
  const channel = (ChannelName: string, InputMode: "FastFile" | "Pipe") => ({
    ChannelName,
    InputMode,
    DataSource: { S3DataSource: { S3DataType: "S3Prefix" as const, S3Uri: `s3://${bucket}/data/` } },
  });
  const look =
    "cd /opt/ml/input/data; cat fast/a; (: > fast/b) 2>/dev/null || echo read-only; cat lines_0; echo s > /checkpoints/step";
  const job = await runJob(
    aws,
    trainingRequest(aws, "channels", image, {
      entrypoint: shell(look),
      InputDataConfig: [channel("fast", "FastFile"), channel("lines", "Pipe")],
      CheckpointConfig: { S3Uri: `s3://${bucket}/checkpoints`, LocalPath: "/checkpoints" },
    }),
  );
  expect(job.FailureReason).toBeUndefined();
  expect(await logLines(aws, "channels")).toEqual(["one", "read-only", "one"]);
  const step = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "checkpoints/step" }));
  expect(await step.Body!.transformToString()).toBe("s\n");
});

test("what jobs have left whose directories are gone is taken away with the next job", async () => {
  const labels = ["--label", "io.slipway.training-job=old", "--label", `io.slipway.state=${aws.dataDir}/gone`];
  await engine.docker(["create", ...labels, "--network", "none", "only-here:2"]);
  expect(await leftovers()).not.toBe("");
  await runJob(aws, trainingRequest(aws, "sweeps", image, { entrypoint: shell("true") }));
  expect(await leftovers()).toBe("");
});

test("an image of the machine's own file system runs as a process beside the engine", async () => {
  const onHost = await pushTrainingImage(aws, "on-host", { "go.sh": "#!/bin/sh\necho from the machine\n" });
  const job = await runJob(aws, trainingRequest(aws, "on-host", onHost, { entrypoint: ["./go.sh"] }));
  expect(job.TrainingJobStatus).toBe("Completed");
  expect(await logLines(aws, "on-host")).toEqual(["from the machine"]);
});

test("stop: SIGTERM is handled, or SIGKILL follows", async () => {
  const client = new SageMakerClient(aws.client);
  const loop = "echo up; while :; do sleep 0.05; done";
  const polite = shell(`trap 'echo saved > /opt/ml/model/last; exit 0' TERM; ${loop}`);
  await createJob(aws, trainingRequest(aws, "polite", image, { entrypoint: polite }));
  await createJob(aws, trainingRequest(aws, "deaf", image, { entrypoint: shell(loop) }));
  for (const name of ["polite", "deaf"]) {
    await untilLine(aws, name, "up");
    await client.send(new StopTrainingJobCommand({ TrainingJobName: name }));
    const job = await untilEnd(aws, name);
    expect([job.TrainingJobStatus, job.SecondaryStatus, job.FailureReason]).toEqual(["Stopped", "Stopped", undefined]);
    if (name === "polite") expect(await filesOf(job.ModelArtifacts!.S3ModelArtifacts!)).toEqual({ last: "saved\n" });
  }
  expect(await leftovers()).toBe("");
});

test.each([
  { isolated: false, reach: "local AWS in reach" },
  { isolated: true, reach: "nothing else in reach" },
])("two hosts reach each other by name (isolated: $isolated)", async ({ isolated, reach }) => {
  const name = isolated ? "two-alone" : "two-hosts";
  const job = await runJob(
    aws,
    trainingRequest(aws, name, image, {
      entrypoint: [
        "python3",
        "-c",
        "import os; exec(os.environ['CODE_1'] + os.environ['CODE_2'] + os.environ['CODE_3'])",
      ],
      Environment: parts(TALK.replace("AWS", new URL(aws.url).port)),
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 2, VolumeSizeInGB: 1 },
      EnableNetworkIsolation: isolated,
    }),
  );
  expect(job.FailureReason).toBeUndefined();
  const hosts = "['algo-1', 'algo-2']";
  expect(await logLines(aws, name)).toEqual([`algo-1 ${hosts} algo-1`, "got weights of algo-2", reach]);
  expect(await logLines(aws, name, "algo-2")).toEqual([`algo-2 ${hosts} algo-2`, reach]);
  expect(await leftovers()).toBe("");
});

/** An environment value holds 512 characters. */
function parts(code: string): Record<string, string> {
  return Object.fromEntries([0, 1, 2].map((part) => [`CODE_${part + 1}`, code.slice(part * 500, (part + 1) * 500)]));
}

test("a job goes on while the local AWS is away, and ends once", async () => {
  await createJob(
    aws,
    trainingRequest(aws, "away", image, {
      entrypoint: shell(
        "echo up; while ! [ -e /opt/ml/checkpoints/go ]; do sleep 0.05; done; echo on > /opt/ml/model/m; echo done",
      ),
    }),
  );
  await untilLine(aws, "away", "up");
  const ids = await engine.docker(["ps", "-q"]);
  aws = await aws.restart();
  expect(await engine.docker(["ps", "-q"])).toBe(ids);
  await engine.docker(["exec", ids.trim(), "sh", "-c", "mkdir -p /opt/ml/checkpoints; : > /opt/ml/checkpoints/go"]);
  const job = await untilEnd(aws, "away");
  expect([job.TrainingJobStatus, job.FailureReason]).toEqual(["Completed", undefined]);
  expect(await logLines(aws, "away")).toEqual(["up", "done"]);
  expect(await leftovers()).toBe("");
});
