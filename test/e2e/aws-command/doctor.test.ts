import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IAMClient, UpdateAssumeRolePolicyCommand } from "@aws-sdk/client-iam";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { slipway } from "../../support/slipway.ts";

const ACCOUNT = "123456789012";
const QUEUE = {
  RoleArn: `arn:aws:iam::${ACCOUNT}:role/Examined`,
  OutputDataConfig: { S3OutputPath: "s3://examined-bucket/models" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 30 },
  StoppingCondition: { MaxRuntimeInSeconds: 3600 },
};

interface Line {
  readonly check: string;
  readonly verdict: string;
  readonly why: string;
  readonly cure?: string;
}

describe("slipway aws doctor, against the local AWS", () => {
  let aws: TestLocalAws;
  let queue: string;
  const run = (env: NodeJS.ProcessEnv, ...args: string[]) =>
    slipway(aws.dataDir, ["aws", ...args, "-f", queue, "--repository", "examined"], {
      env: env as Readonly<Record<string, string>>,
    });
  const examine = async (env = aws.env) => {
    const { stdout, code } = await run(env, "doctor", "--json");
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Line[] };
    return { code, ok, of: (check: string) => checks.find((line) => line.check === check), checks };
  };

  beforeAll(async () => {
    aws = await startTestLocalAws();
    queue = join(aws.dataDir, "queue.json");
    await writeFile(queue, JSON.stringify(QUEUE));
  });
  afterAll(() => aws.close());

  it("says of an empty account what fails and which command mends it", async () => {
    const { code, ok, of } = await examine();
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(of("identity")).toMatchObject({ verdict: "pass" });
    expect(of("clock")).toMatchObject({ verdict: "pass" });
    expect(of("list training jobs")).toMatchObject({ verdict: "pass" });
    expect(of("repository examined")).toMatchObject({
      verdict: "fail",
      cure: "aws ecr create-repository --repository-name examined --region us-east-1",
    });
    expect(of("bucket examined-bucket")).toMatchObject({ verdict: "fail", cure: expect.stringContaining("aws s3 mb") });
    expect(of("role Examined assumable by SageMaker")).toMatchObject({ verdict: "fail" });
  });

  it("fails nothing once setup has made it, and calls unknown what cannot be asked", async () => {
    const made = await run(aws.env, "setup", "--apply");
    expect(made.code).toBe(0);
    const { code, of, checks } = await examine();
    expect(checks.filter(({ verdict }) => verdict === "fail")).toEqual([]);
    expect(code).toBe(0);
    for (const check of ["repository examined", "bucket examined-bucket", "role Examined assumable by SageMaker"])
      expect(of(check)).toMatchObject({ verdict: "pass" });
    // The local AWS has no Service Quotas.
    expect(of("quota ml.m5.large")).toMatchObject({ verdict: "unknown" });
  });

  it("sees a role that SageMaker cannot assume", async () => {
    const iam = new IAMClient(aws.client);
    const trust = { Effect: "Allow", Principal: { AWS: ACCOUNT }, Action: "sts:AssumeRole" };
    await iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: "Examined",
        PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement: [trust] }),
      }),
    );
    iam.destroy();
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of("role Examined assumable by SageMaker")).toMatchObject({
      verdict: "fail",
      why: expect.stringContaining("does not trust SageMaker"),
      cure: expect.stringContaining("aws iam update-assume-role-policy --role-name Examined"),
    });
  });

  it("stops at credentials that are not valid", async () => {
    const { code, checks } = await examine({ ...aws.env, AWS_SECRET_ACCESS_KEY: "wrong" });
    expect(code).toBe(1);
    expect(checks).toEqual([expect.objectContaining({ check: "identity", verdict: "fail" })]);
  });
});
