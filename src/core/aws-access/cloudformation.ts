import type { JsonObject, JsonValue } from "../json.ts";
import type { DesiredRole, SetupDesign } from "./setup-design.ts";

/**
 * A CloudFormation template with the same content as the setup. Repository and buckets stay when the stack is deleted.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
 */
export function cloudFormationTemplate(design: SetupDesign): JsonObject {
  const resources: Record<string, JsonValue> = {};
  for (const name of design.repositories)
    resources[`Repository${logical(name)}`] = {
      Type: "AWS::ECR::Repository",
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: { RepositoryName: name },
    };
  for (const name of design.buckets)
    resources[`Bucket${logical(name)}`] = {
      Type: "AWS::S3::Bucket",
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: { BucketName: name, PublicAccessBlockConfiguration: PRIVATE },
    };
  for (const role of design.roles) {
    const id = `Role${logical(role.name)}`;
    resources[id] = { Type: "AWS::IAM::Role", Properties: roleProperties(role) };
    if (role.hasInstanceProfile)
      resources[`InstanceProfile${logical(role.name)}`] = {
        Type: "AWS::IAM::InstanceProfile",
        Properties: { InstanceProfileName: role.name, Roles: [{ Ref: id }] },
      };
  }
  return {
    AWSTemplateFormatVersion: "2010-09-09",
    Description: `Roles, repository and buckets of Slipway's queues in ${design.region}`,
    Resources: resources,
  };
}

/** Nothing in a bucket of training data is for the public. */
const PRIVATE = {
  BlockPublicAcls: true,
  BlockPublicPolicy: true,
  IgnorePublicAcls: true,
  RestrictPublicBuckets: true,
};

function roleProperties(role: DesiredRole): JsonObject {
  return {
    RoleName: role.name,
    Path: role.path,
    Description: role.description,
    AssumeRolePolicyDocument: role.trust as unknown as JsonObject,
    Policies: [{ PolicyName: role.policyName, PolicyDocument: role.policy as unknown as JsonObject }],
  };
}

/** A logical id has letters and digits alone. */
function logical(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("");
}
