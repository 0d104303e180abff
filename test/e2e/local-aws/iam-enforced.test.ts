import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientEnv, startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { type PythonPeers, pythonPeers } from "../../support/python-peers.ts";
import { pushTrainingImage } from "../../support/training-image.ts";

const run = promisify(execFile);

let aws: TestLocalAws;
let peers: PythonPeers;

beforeAll(async () => {
  peers = await pythonPeers();
  aws = await startTestLocalAws({ settings: { PATH: process.env.PATH!, SLIPWAY_LOCAL_AWS_RUNTIME: "process" } });
});

afterAll(() => aws?.close());

test("boto3: every missing permission is refused in AWS's words, every statement that is added allows its own step", async () => {
  const image = await pushTrainingImage(aws, "iam-enforced", { "nothing.sh": "#!/bin/sh\n" });
  const env = { ...aws.env, BUCKET: aws.environment.bucket, IMAGE: image };
  const { stdout } = await run(peers.python, [join(import.meta.dirname, "iam-enforced-boto3.py")], { env });
  expect(stdout).toBe("all of it holds\n");
});

test("the aws CLI prints the denial; without enforcement the same call is answered", async () => {
  const userKey = async () => {
    await run(peers.aws, ["iam", "create-user", "--user-name", "cli"], { env: aws.env });
    const created = ["iam", "create-access-key", "--user-name", "cli", "--output", "json"];
    const { stdout } = await run(peers.aws, created, { env: aws.env });
    const { AccessKeyId, SecretAccessKey } = JSON.parse(stdout).AccessKey;
    return { accessKeyId: AccessKeyId as string, secretAccessKey: SecretAccessKey as string };
  };
  let key = await userKey();
  const list = (environment: TestLocalAws["environment"]) =>
    run(peers.aws, ["ecr", "describe-repositories"], { env: clientEnv({ ...environment, ...key }) });
  const denied =
    "An error occurred (AccessDeniedException) when calling the DescribeRepositories operation: User: arn:aws:iam::123456789012:user/cli is not authorized to perform: ecr:DescribeRepositories on resource: arn:aws:ecr:us-east-1:123456789012:repository/* because no identity-based policy allows the ecr:DescribeRepositories action";
  await expect(list(aws.environment)).rejects.toMatchObject({ stderr: expect.stringContaining(denied) });
  await aws.close();
  aws = await startTestLocalAws({ settings: { SLIPWAY_LOCAL_AWS_IAM: "off" } });
  key = await userKey();
  await expect(list(aws.environment)).resolves.toMatchObject({ stdout: expect.stringContaining("repositories") });
});
