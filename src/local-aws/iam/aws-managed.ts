const READ_ECR = [
  "ecr:GetAuthorizationToken",
  "ecr:BatchCheckLayerAvailability",
  "ecr:GetDownloadUrlForLayer",
  "ecr:GetRepositoryPolicy",
  "ecr:DescribeRepositories",
  "ecr:ListImages",
  "ecr:DescribeImages",
  "ecr:BatchGetImage",
  "ecr:GetLifecyclePolicy",
  "ecr:GetLifecyclePolicyPreview",
  "ecr:ListTagsForResource",
  "ecr:DescribeImageScanFindings",
];

/** Policies that AWS manages, as far as they are known here; `arn:aws:iam::aws:policy/NAME`. */
const ALLOW: Readonly<Record<string, readonly string[]>> = {
  AdministratorAccess: ["*"],
  AmazonS3FullAccess: ["s3:*", "s3-object-lambda:*"],
  AmazonS3ReadOnlyAccess: ["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"],
  AmazonEC2ContainerRegistryReadOnly: READ_ECR,
  AmazonEC2ContainerRegistryPowerUser: [
    ...READ_ECR,
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
  ],
  AmazonEC2ContainerRegistryFullAccess: ["ecr:*", "cloudtrail:LookupEvents"],
  CloudWatchLogsReadOnlyAccess: [
    "logs:Describe*",
    "logs:Get*",
    "logs:List*",
    "logs:StartQuery",
    "logs:StopQuery",
    "logs:TestMetricFilter",
    "logs:FilterLogEvents",
    "logs:StartLiveTail",
    "logs:StopLiveTail",
    "cloudwatch:GenerateQuery",
  ],
  IAMFullAccess: ["iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization"],
  IAMReadOnlyAccess: [
    "iam:GenerateCredentialReport",
    "iam:GenerateServiceLastAccessedDetails",
    "iam:Get*",
    "iam:List*",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
  ],
};

/** Their documents by ARN. A policy of AWS's that is not here can be attached, and allows nothing. */
export const AWS_MANAGED: ReadonlyMap<string, string> = new Map(
  Object.entries(ALLOW).map(([name, Action]) => [
    `arn:aws:iam::aws:policy/${name}`,
    JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] }),
  ]),
);

export const ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess";
