import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GetRoleCommand, IAMClient, UpdateAssumeRolePolicyCommand } from "@aws-sdk/client-iam";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { slipway } from "../../support/slipway.ts";

const ACCOUNT = "123456789012";
const QUEUE = {
  RoleArn: `arn:aws:iam::${ACCOUNT}:role/team/Train`,
  OutputDataConfig: { S3OutputPath: "s3://made-by-setup/models" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 30 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};

describe("slipway aws, against the local AWS", () => {
  let aws: TestLocalAws;
  let queue: string;
  const run = (...args: string[]) =>
    slipway(aws.dataDir, ["aws", ...args], { env: aws.env as Readonly<Record<string, string>> });
  const setup = async (...args: string[]) => {
    const { stdout, stderr, code } = await run("setup", "-f", queue, "--repository", "training", ...args, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { steps } = JSON.parse(stdout) as { steps: { what: string; name: string; action: string }[] };
    return steps.map(({ what, name, action }) => `${action} ${what} ${name}`);
  };

  beforeAll(async () => {
    aws = await startTestLocalAws();
    queue = join(aws.dataDir, "queue.json");
    await writeFile(queue, JSON.stringify(QUEUE));
  });
  afterAll(() => aws.close());

  const ALL = [
    "repository training",
    "bucket made-by-setup",
    "role Train",
    "policy slipway-training-jobs of Train",
    "role slipway-launch-agent",
    "policy slipway-launch-agent of slipway-launch-agent",
    "instance profile slipway-launch-agent",
  ];

  it("plans, makes, and then has nothing left to do", async () => {
    const toCreate = ALL.map((one) => `create ${one}`);
    expect(await setup("--trust", "ec2")).toEqual(toCreate);
    expect(await setup("--trust", "ec2", "--apply")).toEqual(toCreate);
    const after = await setup("--trust", "ec2");
    expect(after.filter((one) => !one.startsWith("keep "))).toEqual([]);
    expect(after).toEqual(expect.arrayContaining(ALL.map((one) => `keep ${one}`)));
  });

  it("adds its own trust and changes its own policy, and leaves the rest", async () => {
    const iam = new IAMClient(aws.client);
    const theirs = { Effect: "Allow", Principal: { AWS: ACCOUNT }, Action: "sts:AssumeRole" };
    await iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: "Train",
        PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement: [theirs] }),
      }),
    );
    const changes = (await setup("--trust", "ec2", "--apply", "--repository", "another")).filter(
      (one) => !one.startsWith("keep "),
    );
    expect(changes).toEqual([
      "create repository another",
      "update trust Train",
      "update policy slipway-training-jobs of Train",
      "update policy slipway-launch-agent of slipway-launch-agent",
    ]);
    const { Role } = await iam.send(new GetRoleCommand({ RoleName: "Train" }));
    const trust = JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? "")) as { Statement: object[] };
    expect(trust.Statement).toEqual([theirs, expect.objectContaining({ Sid: "SageMakerRunsJobsAsThisRole" })]);
    iam.destroy();
  });

  it("prints a CloudFormation template of the same things", async () => {
    const { stdout } = await run(
      "setup",
      "-f",
      queue,
      "--repository",
      "training",
      "--trust",
      "ec2",
      "--cloudformation",
    );
    const { Resources } = JSON.parse(stdout) as {
      Resources: Record<string, { Type: string; DeletionPolicy?: string }>;
    };
    expect(Object.entries(Resources).map(([id, { Type, DeletionPolicy }]) => [id, Type, DeletionPolicy])).toEqual([
      ["RepositoryTraining", "AWS::ECR::Repository", "Retain"],
      ["BucketMadeBySetup", "AWS::S3::Bucket", "Retain"],
      ["RoleTrain", "AWS::IAM::Role", undefined],
      ["RoleSlipwayLaunchAgent", "AWS::IAM::Role", undefined],
      ["InstanceProfileSlipwayLaunchAgent", "AWS::IAM::InstanceProfile", undefined],
    ]);
  });

  it("prints policies that lint finds nothing wrong with, and ends with 1 where a statement is lacking", async () => {
    for (const who of ["agent", "execution-role"]) {
      const { stdout } = await run("policy", who, "-f", queue, "--repository", "training");
      const file = join(aws.dataDir, `${who}.json`);
      await writeFile(file, stdout);
      const args = [file, "--for", who, "-f", queue, "--repository", "training", "--json"];
      const clean = await run("lint", ...args);
      expect({ code: clean.code, ...JSON.parse(clean.stdout) }).toMatchObject({ code: 0, ok: true, findings: [] });
      const policy = JSON.parse(stdout) as { Statement: { Sid: string }[] };
      await writeFile(file, JSON.stringify({ ...policy, Statement: policy.Statement.slice(1) }, null, 2));
      const lacking = await run("lint", ...args);
      expect(lacking.code).toBe(1);
      expect(JSON.parse(lacking.stdout)).toMatchObject({
        ok: false,
        findings: [
          { code: "ACTION_MISSING", severity: "error", statement: { Sid: policy.Statement[0]?.Sid }, line: 3 },
        ],
      });
    }
  });

  it("says what it lacks", async () => {
    const { code, stderr } = await run("policy", "agent");
    expect(code).toBe(2);
    expect(stderr).toContain("ACCESS_UNCLEAR");
  });
});
