"""STS and IAM of the local AWS as boto3 sees them, and how wrong credentials are refused by every kind of service."""
import json, os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sts, iam = boto3.client("sts"), boto3.client("iam")
account = "123456789012"
role_arn = os.environ["SLIPWAY_ROLE_ARN"]
me = sts.get_caller_identity()
assert (me["Account"], me["Arn"]) == (account, f"arn:aws:iam::{account}:user/slipway")
once = Config(retries={"max_attempts": 1})


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{call} was not refused")


def calls(**credentials):
    client = lambda name: boto3.client(name, config=once, **credentials)
    return {
        "query": client("sts").get_caller_identity,
        "json": client("sagemaker").list_training_jobs,
        "xml": client("s3").list_buckets,
    }


def all_refuse(codes, **credentials):
    for (protocol, call), code in zip(calls(**credentials).items(), codes):
        refused(code, call)


key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
all_refuse(("SignatureDoesNotMatch", "InvalidSignatureException", "SignatureDoesNotMatch"), aws_access_key_id=key, aws_secret_access_key=secret + "x")
all_refuse(("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"), aws_access_key_id="AKIAUNKNOWN", aws_secret_access_key=secret)
all_refuse(("InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"), aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token="x")
from botocore import UNSIGNED
refused("MissingAuthenticationTokenException", boto3.client("sagemaker", config=Config(signature_version=UNSIGNED)).list_training_jobs)
refused("MissingAuthenticationToken", boto3.client("sts", config=Config(signature_version=UNSIGNED)).get_caller_identity)
refused("AccessDenied", boto3.client("s3", config=Config(signature_version=UNSIGNED)).list_buckets)
refused("UnknownService", boto3.client("dynamodb", config=once).list_tables)

# Roles: only those who are trusted may assume, and the sessions act as the role
refused("AccessDenied", sts.assume_role, RoleArn=role_arn, RoleSessionName="me")
refused("AccessDenied", sts.assume_role, RoleArn=f"arn:aws:iam::{account}:role/none", RoleSessionName="me")
trust = lambda principal, **more: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}]})
role = iam.create_role(RoleName="Agent", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{account}:root"}), Path="/teams/", Tags=[{"Key": "a", "Value": "b"}], Description="d")["Role"]
assert role["Arn"] == f"arn:aws:iam::{account}:role/teams/Agent" and role["MaxSessionDuration"] == 3600
session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="night", DurationSeconds=900)
given = session["Credentials"]
assumed = dict(aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["SessionToken"])
assert boto3.client("sts", **assumed).get_caller_identity()["Arn"] == f"arn:aws:sts::{account}:assumed-role/Agent/night"
for call, message in zip(list(calls(**assumed).values())[1:], (
    "sagemaker:ListTrainingJobs on resource: * because no identity-based policy allows the sagemaker:ListTrainingJobs action",
    "s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action",
)):
    denied = refused(("AccessDeniedException", "AccessDenied")["s3" in message], call)
    assert denied == f"User: arn:aws:sts::{account}:assumed-role/Agent/night is not authorized to perform: {message}", denied
iam.put_role_policy(RoleName="Agent", PolicyName="Lists", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sagemaker:ListTrainingJobs", "s3:ListAllMyBuckets"], "Resource": "*"}]}))
for call in calls(**assumed).values():
    call()
iam.delete_role_policy(RoleName="Agent", PolicyName="Lists")
all_refuse(("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"), **{k: v for k, v in assumed.items() if "token" not in k})
refused("AccessDenied", boto3.client("sts", **assumed).get_session_token)
refused("ValidationError", sts.assume_role, RoleArn=role["Arn"], RoleSessionName="night", DurationSeconds=7200)
iam.update_assume_role_policy(RoleName="Agent", PolicyDocument=trust({"AWS": me["Arn"]}, Condition={"StringEquals": {"sts:ExternalId": "42"}}))
refused("AccessDenied", sts.assume_role, RoleArn=role["Arn"], RoleSessionName="night")
sts.assume_role(RoleArn=role["Arn"], RoleSessionName="night", ExternalId="42")
refused("MalformedPolicyDocument", iam.update_assume_role_policy, RoleName="Agent", PolicyDocument="{}")
assert sts.get_access_key_info(AccessKeyId=key)["Account"] == account

# Users and keys
user = iam.create_user(UserName="bob")["User"]
refused("EntityAlreadyExists", iam.create_user, UserName="BOB")
bob = iam.create_access_key(UserName="bob")["AccessKey"]
keys = dict(aws_access_key_id=bob["AccessKeyId"], aws_secret_access_key=bob["SecretAccessKey"])
assert boto3.client("sts", **keys).get_caller_identity()["UserId"] == user["UserId"]
token = boto3.client("sts", **keys).get_session_token(DurationSeconds=900)["Credentials"]
assert boto3.client("sts", aws_access_key_id=token["AccessKeyId"], aws_secret_access_key=token["SecretAccessKey"], aws_session_token=token["SessionToken"]).get_caller_identity()["Arn"] == user["Arn"]
iam.update_access_key(UserName="bob", AccessKeyId=bob["AccessKeyId"], Status="Inactive")
refused("InvalidClientTokenId", boto3.client("sts", **keys).get_caller_identity)
iam.create_access_key(UserName="bob")
refused("LimitExceeded", iam.create_access_key, UserName="bob")

# Policies
document = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
policy = iam.create_policy(PolicyName="P", PolicyDocument=document)["Policy"]
iam.attach_user_policy(UserName="bob", PolicyArn=policy["Arn"])
iam.attach_role_policy(RoleName="Agent", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
assert iam.list_attached_role_policies(RoleName="Agent")["AttachedPolicies"][0]["PolicyName"] == "AmazonSageMakerFullAccess"
assert iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyUsers"] == [{"UserName": "bob"}]
refused("DeleteConflict", iam.delete_policy, PolicyArn=policy["Arn"])
version = iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
assert version["VersionId"] == "v2" and iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["DefaultVersionId"] == "v2"
assert iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]["Document"] == json.loads(document)
iam.put_user_policy(UserName="bob", PolicyName="inline", PolicyDocument=document)
assert iam.get_user_policy(UserName="bob", PolicyName="inline")["PolicyDocument"] == json.loads(document)
refused("MalformedPolicyDocument", iam.put_user_policy, UserName="bob", PolicyName="x", PolicyDocument='{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}')
refused("NoSuchEntity", iam.attach_user_policy, UserName="bob", PolicyArn=f"arn:aws:iam::{account}:policy/none")
refused("DeleteConflict", iam.delete_user, UserName="bob")
iam.detach_user_policy(UserName="bob", PolicyArn=policy["Arn"])
iam.delete_user_policy(UserName="bob", PolicyName="inline")
for each in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]:
    iam.delete_access_key(UserName="bob", AccessKeyId=each["AccessKeyId"])
iam.delete_user(UserName="bob")
iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId="v1")
iam.delete_policy(PolicyArn=policy["Arn"])

# The role that the first start made
execution = iam.get_role(RoleName="SlipwaySageMakerExecution")["Role"]
assert execution["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
assert iam.list_role_policies(RoleName="SlipwaySageMakerExecution")["PolicyNames"] == ["TrainingJobs"]

# Instance profiles, tags, pages
iam.create_instance_profile(InstanceProfileName="ip")
iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="Agent")
assert iam.get_instance_profile(InstanceProfileName="ip")["InstanceProfile"]["Roles"][0]["RoleName"] == "Agent"
refused("DeleteConflict", iam.delete_role, RoleName="Agent")
iam.remove_role_from_instance_profile(InstanceProfileName="ip", RoleName="Agent")
iam.delete_instance_profile(InstanceProfileName="ip")
iam.tag_role(RoleName="Agent", Tags=[{"Key": "c", "Value": "d"}])
iam.untag_role(RoleName="Agent", TagKeys=["a"])
assert iam.list_role_tags(RoleName="Agent")["Tags"] == [{"Key": "c", "Value": "d"}]
for n in range(5):
    iam.create_user(UserName=f"u{n}")
pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
assert [u["UserName"] for p in pages for u in p["Users"]] == ["slipway", "u0", "u1", "u2", "u3", "u4"] and len(pages) == 3
print("all of it holds")
