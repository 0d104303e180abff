import { dnsSuffixOf } from "../image-repository.ts";
import { SAGEMAKER_SERVICE } from "./agent-access.ts";
import { oneOrAll, type PolicyStatement } from "./policy-document.ts";

/** Who is to assume a role. */
export type TrustedParty =
  | { readonly kind: "sagemaker"; readonly accountId?: string }
  | { readonly kind: "ec2"; readonly partition: string }
  /** EKS: IAM roles for service accounts. */
  | {
      readonly kind: "irsa";
      readonly partition: string;
      readonly accountId: string;
      /** `https://oidc.eks.REGION.amazonaws.com/id/ID`, with or without `https://`. */
      readonly oidcProvider: string;
      readonly namespace: string;
      readonly serviceAccount: string;
    }
  /** EKS Pod Identity. */
  | { readonly kind: "pod-identity"; readonly accountId: string; readonly clusterArn?: string }
  /** The account's users and roles, by ARN; none named: whoever the account allows to. */
  | {
      readonly kind: "account";
      readonly partition: string;
      readonly accountId: string;
      readonly principals?: readonly string[];
      readonly externalId?: string;
    };

export interface TrustStatement {
  readonly statement: PolicyStatement;
  readonly why: string;
  readonly without: string;
}

/** The trust policy's statement that lets one party assume a role. */
export function trustStatement(party: TrustedParty): TrustStatement {
  switch (party.kind) {
    case "sagemaker":
      return {
        why: "SageMaker assumes the execution role for each job that names it",
        without: "CreateTrainingJob is refused: the role cannot be assumed",
        statement: {
          Sid: "SageMakerRunsJobsAsThisRole",
          Effect: "Allow",
          Principal: { Service: SAGEMAKER_SERVICE },
          Action: "sts:AssumeRole",
          ...sourceAccount(party.accountId),
        },
      };
    case "ec2":
      return {
        why: "an instance whose instance profile holds the role gets its credentials; a role that trusts an account cannot be in one",
        without: "the instance has no credentials of the role",
        statement: {
          Sid: "InstancesActAsThisRole",
          Effect: "Allow",
          // https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html: in China the service has the partition's own suffix.
          Principal: { Service: `ec2.${party.partition === "aws-cn" ? dnsSuffixOf("aws-cn") : "amazonaws.com"}` },
          Action: "sts:AssumeRole",
        },
      };
    case "irsa": {
      const host = party.oidcProvider.replace(/^https:\/\//, "").replace(/\/+$/, "");
      const subject = `system:serviceaccount:${party.namespace}:${party.serviceAccount}`;
      const hasWildcard = /[*?]/.test(subject);
      const equals = {
        [`${host}:aud`]: "sts.amazonaws.com",
        ...(hasWildcard ? {} : { [`${host}:sub`]: subject }),
      };
      return {
        why: `the pods of the service account ${party.serviceAccount} in namespace ${party.namespace}, and no others of the cluster, assume the role`,
        without: "the pod's AssumeRoleWithWebIdentity is refused",
        statement: {
          Sid: "TheServiceAccountActsAsThisRole",
          Effect: "Allow",
          Principal: { Federated: `arn:${party.partition}:iam::${party.accountId}:oidc-provider/${host}` },
          Action: "sts:AssumeRoleWithWebIdentity",
          Condition: {
            StringEquals: equals,
            ...(hasWildcard ? { StringLike: { [`${host}:sub`]: subject } } : {}),
          },
        },
      };
    }
    case "pod-identity":
      return {
        why: "EKS Pod Identity assumes the role for the pods that an association names, and tags the session with cluster, namespace and pod",
        without: "the pod gets no credentials",
        statement: {
          Sid: "PodsActAsThisRole",
          Effect: "Allow",
          Principal: { Service: "pods.eks.amazonaws.com" },
          Action: ["sts:AssumeRole", "sts:TagSession"],
          Condition: {
            StringEquals: { "aws:SourceAccount": party.accountId },
            ...(party.clusterArn === undefined ? {} : { ArnEquals: { "aws:SourceArn": party.clusterArn } }),
          },
        },
      };
    case "account":
      return {
        why: "a person or a machine outside EC2 and EKS assumes the role by a profile with role_arn; with the account's root, whoever it gives sts:AssumeRole to",
        without: "sts:AssumeRole is refused",
        statement: {
          Sid: "TheAccountActsAsThisRole",
          Effect: "Allow",
          Principal: {
            AWS: oneOrAll(
              party.principals === undefined || party.principals.length === 0
                ? [`arn:${party.partition}:iam::${party.accountId}:root`]
                : party.principals,
            ),
          },
          Action: "sts:AssumeRole",
          ...(party.externalId === undefined
            ? {}
            : { Condition: { StringEquals: { "sts:ExternalId": party.externalId } } }),
        },
      };
  }
}

/** Nobody else's SageMaker can use the role. https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html */
function sourceAccount(accountId: string | undefined): Pick<PolicyStatement, "Condition"> {
  return accountId === undefined ? {} : { Condition: { StringEquals: { "aws:SourceAccount": accountId } } };
}
