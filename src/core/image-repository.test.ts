import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ecrRepository, ecrRepositoryUri, parseEcrRepository } from "./image-repository.ts";

const usEast = {
  registryHost: "123456789012.dkr.ecr.us-east-1.amazonaws.com",
  repository: "team/train",
  region: "us-east-1",
  accountId: "123456789012",
  partition: "aws",
};

describe("parseEcrRepository", () => {
  it.each([
    ["123456789012.dkr.ecr.us-east-1.amazonaws.com/team/train", usEast],
    ["https://123456789012.dkr.ecr.us-east-1.amazonaws.com/team/train/", usEast],
    ["arn:aws:ecr:us-east-1:123456789012:repository/team/train", usEast],
    [
      "arn:aws-cn:ecr:cn-north-1:123456789012:repository/x1",
      {
        registryHost: "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        repository: "x1",
        region: "cn-north-1",
        accountId: "123456789012",
        partition: "aws-cn",
      },
    ],
    [
      "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/x1",
      {
        registryHost: "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
        repository: "x1",
        region: "us-gov-west-1",
        accountId: "123456789012",
        partition: "aws-us-gov",
      },
    ],
  ])("%s", (text, expected) => expect(parseEcrRepository(text)).toEqual(expected));

  it.each([
    ["docker.io/library/python", "is not an ECR repository"],
    ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "names a registry but no repository"],
    ["123456789012.dkr.ecr.us-east-1.amazonaws.com/train:v1", "carries a tag"],
    ["123456789012.dkr.ecr.us-east-1.amazonaws.com/Train", "is not a name that ECR allows"],
    ["12345.dkr.ecr.us-east-1.amazonaws.com/train", "is not an ECR repository"],
    ["arn:aws:s3:::bucket", "is not the ARN of an ECR repository"],
    ["arn:awsome:ecr:us-east-1:123456789012:repository/train", "is not an AWS partition"],
  ])("%s: %s", (text, problem) => {
    const found = parseEcrRepository(text);
    expect(found).toHaveProperty("problem", expect.stringContaining(problem));
    expect(found).toHaveProperty("hint");
  });

  it("reads back every repository from its URI", () => {
    const name = fc.stringMatching(/^[a-z0-9]{2,8}(\/[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?)?$/);
    const region = fc.constantFrom(
      "us-east-1",
      "eu-central-2",
      "ap-northeast-2",
      "cn-northwest-1",
      "us-gov-east-1",
      "us-iso-east-1",
      "eusc-de-east-1",
    );
    fc.assert(
      fc.property(fc.stringMatching(/^\d{12}$/), region, name, (accountId, region, repository) => {
        const made = ecrRepository({ accountId, region, repository });
        expect(made).not.toHaveProperty("problem");
        expect(parseEcrRepository(ecrRepositoryUri(made as never))).toEqual(made);
        const { partition } = made as { partition: string };
        expect(parseEcrRepository(`arn:${partition}:ecr:${region}:${accountId}:repository/${repository}`)).toEqual(
          made,
        );
      }),
    );
  });
});
