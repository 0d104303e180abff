import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LocalAwsEnvironment } from "../../../src/local-aws/first-start.ts";
import { clientEnv, type TestLocalAws } from "../../support/local-aws.ts";
import { type Started, startSlipway, until } from "../../support/slipway.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { createJob, logLines, trainingRequest, untilEnd, untilJob, untilLine } from "../../support/training-job.ts";

let dataDir: string;
let part: Started;
let aws: TestLocalAws;

async function start(port: string): Promise<void> {
  await rm(join(dataDir, "run"), { recursive: true, force: true });
  part = startSlipway(dataDir, ["local-aws", "--data", dataDir, "--port", port], {
    env: { SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: "0.5" },
  });
  const read = async (file: string) => JSON.parse(await readFile(join(dataDir, file), "utf8"));
  const { url } = await until("the local AWS", () => read("run/local-aws.json") as Promise<{ url: string }>, part);
  const environment = (await read("local-aws/env.json")) as LocalAwsEnvironment;
  const credentials = { accessKeyId: environment.accessKeyId, secretAccessKey: environment.secretAccessKey };
  aws = {
    url,
    dataDir,
    environment,
    client: { endpoint: url, region: environment.region, credentials },
    env: clientEnv(environment),
    restart: async () => {
      await part.end("SIGKILL");
      await start(new URL(url).port);
      return aws;
    },
    close: async () => {
      await part.end();
    },
  };
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-restart-"));
  await start("0");
});

afterEach(async () => {
  await aws.close();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
});

const shell = (script: string) => ["/bin/sh", "-c", script];

test("kill -9 while jobs run: they go on, their logs are whole, and they end once", async () => {
  const image = await pushTrainingImage(aws, "restart", { "go.sh": "" });
  const loop = "while :; do sleep 0.05; done";
  await createJob(
    aws,
    trainingRequest(aws, "goes-on", image, {
      entrypoint: shell("echo before; sleep 3; echo loss=4; echo m > /opt/ml/model/m"),
      metrics: [{ Name: "loss", Regex: "loss=(.*)" }],
    }),
  );
  await createJob(
    aws,
    trainingRequest(aws, "ends-meanwhile", image, { entrypoint: shell("echo before; sleep 1; echo after; exit 5") }),
  );
  await createJob(
    aws,
    trainingRequest(aws, "is-stopped", image, {
      entrypoint: shell(`echo before; ${loop}`),
      StoppingCondition: { MaxRuntimeInSeconds: 4 },
    }),
  );
  for (const name of ["goes-on", "ends-meanwhile", "is-stopped"]) await untilLine(aws, name, "before");
  const before = await untilJob(aws, "goes-on", (job) => job.SecondaryStatus === "Training");
  aws = await aws.restart();

  const ended = await untilEnd(aws, "ends-meanwhile");
  expect(ended.FailureReason).toBe("AlgorithmError: , exit code: 5");
  expect(await logLines(aws, "ends-meanwhile")).toEqual(["before", "after"]);

  const wentOn = await untilEnd(aws, "goes-on");
  expect(wentOn.TrainingJobStatus).toBe("Completed");
  expect(wentOn.TrainingStartTime).toEqual(before.TrainingStartTime);
  expect(await logLines(aws, "goes-on")).toEqual(["before", "loss=4"]);
  expect(wentOn.FinalMetricDataList?.[0]?.Value).toBe(4);

  const stopped = await untilEnd(aws, "is-stopped");
  expect(stopped.SecondaryStatus).toBe("MaxRuntimeExceeded");
});

test("kill -9 right after CreateTrainingJob: the job still runs, once", async () => {
  const image = await pushTrainingImage(aws, "early", { "go.sh": "" });
  const s3 = `s3://${aws.environment.bucket}/checkpoints/early`;
  const script =
    "cat /opt/ml/checkpoints/runs 2>/dev/null; echo x >> /opt/ml/checkpoints/runs; sleep 0.3; wc -l < /opt/ml/checkpoints/runs";
  await createJob(
    aws,
    trainingRequest(aws, "early", image, { entrypoint: shell(script), CheckpointConfig: { S3Uri: s3 } }),
  );
  aws = await aws.restart();
  const job = await untilEnd(aws, "early");
  expect(job.TrainingJobStatus).toBe("Completed");
  expect(await logLines(aws, "early")).toEqual(["1"]);
});
