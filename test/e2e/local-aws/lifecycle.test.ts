import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterEach, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { logLines, runJob, trainingRequest } from "../../support/training-job.ts";

let aws: TestLocalAws;
afterEach(() => aws.close());

test("ends and starts again in one process, as often as one likes; a second one on its directory is refused", async () => {
  aws = await startTestLocalAws({ settings: { PATH: process.env.PATH! } });
  const { environment, dataDir } = aws;
  const image = await pushTrainingImage(aws, "trainer", { "train.sh": "" });
  for (let round = 0; round < 4; round++) {
    const object = { Bucket: environment.bucket, Key: "round" };
    if (round > 0) {
      const { Body } = await new S3Client(aws.client).send(new GetObjectCommand(object));
      expect(await Body?.transformToString()).toBe(`${round - 1}`);
      expect(await logLines(aws, `job-${round - 1}`)).toEqual(["hello"]);
    }
    await new S3Client(aws.client).send(new PutObjectCommand({ ...object, Body: `${round}` }));
    const entrypoint = ["/bin/sh", "-c", "echo hello"];
    const job = await runJob(aws, trainingRequest(aws, `job-${round}`, image, { entrypoint }));
    expect(job.TrainingJobStatus).toBe("Completed");
    await expect(startTestLocalAws({ dataDir })).rejects.toMatchObject({ code: "LOCAL_AWS_IN_USE" });
    // The refused one has left the running one's address alone.
    expect(JSON.parse(await readFile(join(dataDir, "run/local-aws.json"), "utf8"))).toMatchObject({ url: aws.url });
    aws = await aws.restart();
    expect({ ...aws.environment, endpointUrl: "" }).toEqual({ ...environment, endpointUrl: "" });
  }
});
