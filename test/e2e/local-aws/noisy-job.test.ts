import { DescribeTrainingJobCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { createJob, logLines, trainingRequest } from "../../support/training-job.ts";

const LINES = 100_000;
const NOISE = `
for step in range(${LINES}):
    print("step", step, "loss=%.4f" % (1 / (step + 1)), "a" * 60)
`;

let aws: TestLocalAws;
beforeAll(async () => {
  aws = await startTestLocalAws({ settings: { PATH: process.env.PATH! } });
});
afterAll(() => aws.close());

test("100,000 lines and an expression that runs away: all lines arrive, the other metric is right, calls are answered meanwhile", async () => {
  const image = await pushTrainingImage(aws, "noisy", { "train.py": NOISE });
  const metrics = [
    { Name: "runaway", Regex: "(a+)+b" },
    { Name: "step", Regex: "step ([0-9]+)" },
  ];
  await createJob(aws, trainingRequest(aws, "noisy", image, { entrypoint: ["python3", "train.py"], metrics }));
  const client = new SageMakerClient(aws.client);
  let answers = 0;
  for (;;) {
    const job = await client.send(new DescribeTrainingJobCommand({ TrainingJobName: "noisy" }));
    answers++;
    if (job.TrainingJobStatus === "InProgress") continue;
    expect(job.TrainingJobStatus).toBe("Completed");
    expect(job.FinalMetricDataList?.map(({ MetricName, Value }) => [MetricName, Value])).toEqual([["step", LINES - 1]]);
    break;
  }
  expect(answers).toBeGreaterThan(1);
  const lines = await logLines(aws, "noisy");
  expect(lines).toHaveLength(LINES);
  expect(lines.at(-1)).toBe(`step ${LINES - 1} loss=0.0000 ${"a".repeat(60)}`);
});
