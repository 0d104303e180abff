import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { ListTrainingJobsCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { clientEnv, startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";

const run = promisify(execFile);

describe("identity", () => {
  let aws: TestLocalAws;
  let peers: PythonPeers;
  /** Added to the local AWS's clock, in milliseconds. */
  let ahead = 0;
  beforeAll(async () => {
    peers = await pythonPeers();
    aws = await startTestLocalAws({ clock: { ...systemClock, now: () => Date.now() + ahead } });
  });
  afterAll(() => aws.close());

  test("boto3: who am I, roles, users, policies, and every wrong credential", async () => {
    const { python } = peers;
    const env = { ...aws.env, SLIPWAY_ROLE_ARN: aws.environment.roleArn };
    const { stdout } = await run(python, [join(import.meta.dirname, "iam-sts-boto3.py")], { env });
    expect(stdout).toBe("all of it holds\n");
  });

  test("the aws CLI: a right secret is accepted, a wrong one refused", async () => {
    const { aws: cli } = peers;
    const { stdout } = await run(cli, ["sts", "get-caller-identity", "--output", "json"], { env: aws.env });
    expect(JSON.parse(stdout)).toMatchObject({ Account: "123456789012" });
    const wrong = clientEnv({ ...aws.environment, secretAccessKey: "wrong" });
    await expect(run(cli, ["sts", "get-caller-identity"], { env: wrong })).rejects.toMatchObject({
      stderr: expect.stringContaining("SignatureDoesNotMatch"),
    });
  });

  test("a session is refused as expired once it has ended, each protocol in its own words", async () => {
    const { Credentials: given } = await new STSClient(aws.client).send(
      new GetSessionTokenCommand({ DurationSeconds: 900 }),
    );
    const config = {
      ...aws.client,
      maxAttempts: 1,
      credentials: {
        accessKeyId: given?.AccessKeyId ?? "",
        secretAccessKey: given?.SecretAccessKey ?? "",
        sessionToken: given?.SessionToken ?? "",
      },
    };
    expect((await new STSClient(config).send(new GetCallerIdentityCommand({}))).Arn).toBe(
      "arn:aws:iam::123456789012:user/slipway",
    );
    ahead = 901_000;
    // The session's end is looked at before the clocks are compared, as on AWS.
    await expect(new STSClient(config).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: "ExpiredToken",
    });
    await expect(new SageMakerClient(config).send(new ListTrainingJobsCommand({}))).rejects.toMatchObject({
      name: "ExpiredTokenException",
    });
    await expect(new S3Client(config).send(new ListBucketsCommand({}))).rejects.toMatchObject({ name: "ExpiredToken" });
    await expect(
      new S3Client({ ...aws.client, maxAttempts: 1 }).send(new ListBucketsCommand({})),
    ).rejects.toMatchObject({
      name: "RequestTimeTooSkewed",
    });
    ahead = 0;
  });

  test("everything is still there after a restart, and a second process on the same data is refused", async () => {
    await expect(startTestLocalAws({ dataDir: aws.dataDir })).rejects.toMatchObject({ code: "LOCAL_AWS_IN_USE" });
    const before = aws.environment;
    aws = await aws.restart();
    expect({ ...aws.environment, endpointUrl: "" }).toEqual({ ...before, endpointUrl: "" });
    expect((await fetch(`${aws.url}/healthz`)).status).toBe(200);
    await new STSClient(aws.client).send(new GetCallerIdentityCommand({}));
  });
});
