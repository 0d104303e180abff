"""IAM of the local AWS as an unmodified boto3 meets it: what is missing is refused in AWS's words, what is there is allowed."""
import json, os, time

import boto3
from botocore.exceptions import ClientError

account, region, bucket, image = "123456789012", "us-east-1", os.environ["BUCKET"], os.environ["IMAGE"]
iam, sts, s3, ecr = (boto3.client(name) for name in ("iam", "sts", "s3", "ecr"))
group = f"arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/TrainingJobs"
jobs = f"arn:aws:sagemaker:{region}:{account}:training-job/*"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call} was not refused")


def make_role(name, principal, *statements, **more):
    trust = document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    give(name, *statements)
    return role


def give(name, *statements):
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))


def session(role, **more):
    given = sts.assume_role(RoleArn=role, RoleSessionName="one", **more)["Credentials"]
    keys = dict(aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["SessionToken"])
    return lambda name: boto3.client(name, **keys)


def equals(expected, actual):
    assert actual == expected, f"\n{actual}\n{expected}"


me = f"arn:aws:sts::{account}:assumed-role/Agent/one"
denied = lambda action, resource, why=None: f"User: {me} is not authorized to perform: {action} on resource: {resource} {why or f'because no identity-based policy allows the {action} action'}"

# The agent: every statement that is missing stops its own step.
pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
execution = {
    "registry": [allow("ecr:GetAuthorizationToken"), allow(pull, f"arn:aws:ecr:{region}:{account}:repository/*")],
    "list": [allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")],
    "read": [allow("s3:GetObject", f"arn:aws:s3:::{bucket}/data/*")],
    "write": [allow("s3:PutObject", f"arn:aws:s3:::{bucket}/out/*")],
    "logs": [allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:*")],
}
train = make_role("Train", {"Service": "sagemaker.amazonaws.com"}, *sum(execution.values(), []), Condition={"ArnLike": {"aws:SourceArn": jobs}})
agent = make_role("Agent", {"AWS": f"arn:aws:iam::{account}:root"}, Condition={"StringEquals": {"sts:ExternalId": "42"}})
equals(("AccessDenied", f"User: arn:aws:iam::{account}:user/slipway is not authorized to perform: sts:AssumeRole on resource: {agent}"), refused(sts.assume_role, RoleArn=agent, RoleSessionName="one"))
client = session(agent, ExternalId="42")
sm = client("sagemaker")


def request(name, **more):
    return dict(
        TrainingJobName=name, RoleArn=train, AlgorithmSpecification=dict(TrainingImage=image, TrainingInputMode="File", ContainerEntrypoint=["/bin/sh", "-c", "echo seen; echo w > /opt/ml/model/w"]),
        InputDataConfig=[dict(ChannelName="data", DataSource=dict(S3DataSource=dict(S3DataType="S3Prefix", S3Uri=f"s3://{bucket}/data/")))],
        OutputDataConfig=dict(S3OutputPath=f"s3://{bucket}/out"), ResourceConfig=dict(InstanceType="ml.m5.large", InstanceCount=1, VolumeSizeInGB=1),
        StoppingCondition=dict(MaxRuntimeInSeconds=600), Tags=[dict(Key="team", Value="ml")]) | more


s3.put_object(Bucket=bucket, Key="data/a", Body=b"a")
arn = f"arn:aws:sagemaker:{region}:{account}:training-job/j0"
submit = [allow("SageMaker:CreateTrainingJob", jobs), allow("iam:PassRole", train, Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
          allow("sagemaker:AddTags", jobs, Condition={"StringEquals": {"sagemaker:TaggingAction": "CreateTrainingJob"}}), allow("sagemaker:DescribeTrainingJob", jobs)]
equals(("AccessDeniedException", denied("sagemaker:CreateTrainingJob", arn)), refused(sm.create_training_job, **request("j0")))
give("Agent", submit[0])
equals(("AccessDeniedException", denied("iam:PassRole", train)), refused(sm.create_training_job, **request("j0")))
give("Agent", submit[0], {**submit[1], "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}})
equals(("AccessDeniedException", denied("iam:PassRole", train)), refused(sm.create_training_job, **request("j0")))
give("Agent", *submit[:2])
equals(("AccessDeniedException", denied("sagemaker:AddTags", arn)), refused(sm.create_training_job, **request("j0")))
give("Agent", *submit)
sm.create_training_job(**request("j0"))


def end(name):
    describe = boto3.client("sagemaker").describe_training_job
    while True:
        job = describe(TrainingJobName=name)
        if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            return job
        time.sleep(0.2)


def completed(name):
    assert end(name)["TrainingJobStatus"] == "Completed", end(name)["FailureReason"]


def failure(name):
    return end(name)["FailureReason"]


def lines(name):
    logs = boto3.client("logs")
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/")["logStreams"]
    return [e["message"] for s in streams for e in logs.get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=s["logStreamName"], startFromHead=True)["events"]]


completed("j0")
equals(["seen"], lines("j0"))
# The tutorial grants the reading of logs on SageMaker's own ARNs: it never matches.
give("Agent", *submit, allow("logs:DescribeLogStreams", f"arn:aws:sagemaker:{region}:{account}:*"))
equals(("AccessDeniedException", denied("logs:DescribeLogStreams", f"{group}:log-stream:")), refused(client("logs").describe_log_streams, logGroupName="/aws/sagemaker/TrainingJobs"))
equals(("AccessDeniedException", denied("ecr:GetAuthorizationToken", "*")), refused(client("ecr").get_authorization_token))
equals(("AccessDenied", denied("iam:ListRoles", f"arn:aws:iam::{account}:role/")), refused(client("iam").list_roles))

# The execution role: what SageMaker does in its name is asked of its policies.
without = lambda *missing: give("Train", *sum((rules for name, rules in execution.items() if name not in missing), []))
as_train = f"User: arn:aws:sts::{account}:assumed-role/Train/SageMaker is not authorized to perform: "
without("registry")
code, text = refused(sm.create_training_job, **request("j1"))
assert code == "ValidationException" and "Requested image" in text and "proper pull permissions" in text, text
without("list")
code, text = refused(sm.create_training_job, **request("j1"))
assert code == "ValidationException" and text.startswith("No S3 objects found under S3 URL") and f"Error message from S3: {as_train}s3:ListBucket" in text, text
without("read")
sm.create_training_job(**request("j1"))
without("write")
sm.create_training_job(**request("j2"))
reason = failure("j2")
assert reason.startswith(f"ClientError: Artifact upload failed:AccessDenied (403): {as_train}s3:PutObject on resource: \"arn:aws:s3:::{bucket}/out/j2/output/model.tar.gz\""), reason
without("read", "logs")
sm.create_training_job(**request("j3"))
reason = failure("j3")
assert reason.startswith(f"ClientError: Data download failed:AccessDenied (403): {as_train}s3:GetObject on resource: \"arn:aws:s3:::{bucket}/data/a\""), reason
without("logs")
sm.create_training_job(**request("j4"))
completed("j4")
equals([], lines("j4"))
without()
iam.update_assume_role_policy(RoleName="Train", PolicyDocument=document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}))
code, text = refused(sm.create_training_job, **request("j5"))
assert code == "ValidationException" and text.startswith(f"Could not assume role {train}."), text
iam.update_assume_role_policy(RoleName="Train", PolicyDocument=document({"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}))

# S3: quotes around the resource, absence is hidden from who may not list, and the bucket's own policy counts.
mine = client("s3")
give("Agent", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
equals(("AccessDenied", denied("s3:ListBucket", f'"arn:aws:s3:::{bucket}"')), refused(mine.get_object, Bucket=bucket, Key="none"))
assert mine.get_object(Bucket=bucket, Key="data/a")["Body"].read() == b"a"
equals(("AccessDenied", denied("s3:PutObject", f'"arn:aws:s3:::{bucket}/x"')), refused(mine.put_object, Bucket=bucket, Key="x", Body=b"x"))
s3.put_bucket_policy(Bucket=bucket, Policy=document(
    {"Effect": "Allow", "Principal": {"AWS": agent}, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/x"},
    {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/data/*"}))
mine.put_object(Bucket=bucket, Key="x", Body=b"x")
equals(("AccessDenied", denied("s3:GetObject", f'"arn:aws:s3:::{bucket}/data/a"', "with an explicit deny in a resource-based policy")), refused(mine.get_object, Bucket=bucket, Key="data/a"))
refusals = mine.delete_objects(Bucket=bucket, Delete=dict(Objects=[dict(Key="x")]))["Errors"]
equals([("AccessDenied", "x")], [(each["Code"], each["Key"]) for each in refusals])
equals("MalformedPolicy", refused(s3.put_bucket_policy, Bucket=bucket, Policy=document({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other"}))[0])
assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Principal"] == {"AWS": agent}
s3.delete_bucket_policy(Bucket=bucket)
equals("NoSuchBucketPolicy", refused(s3.get_bucket_policy, Bucket=bucket)[0])

# Session policies and boundaries limit what the role's own policies allow.
narrow = session(agent, ExternalId="42", Policy=document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/x")))("s3")
narrow.get_object(Bucket=bucket, Key="x")
equals(("AccessDenied", denied("s3:GetObject", f'"arn:aws:s3:::{bucket}/data/a"', "because no session policy allows the s3:GetObject action")), refused(narrow.get_object, Bucket=bucket, Key="data/a"))
boundary = iam.create_policy(PolicyName="Boundary", PolicyDocument=document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/data/*")))["Policy"]["Arn"]
iam.put_role_permissions_boundary(RoleName="Agent", PermissionsBoundary=boundary)
assert iam.get_role(RoleName="Agent")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
mine.get_object(Bucket=bucket, Key="data/a")
equals(("AccessDenied", denied("s3:GetObject", f'"arn:aws:s3:::{bucket}/x"', "because no permissions boundary allows the s3:GetObject action")), refused(mine.get_object, Bucket=bucket, Key="x"))
iam.delete_role_permissions_boundary(RoleName="Agent")

# ECR: a repository's policy is enough within the account.
give("Agent", allow("sagemaker:*"), allow("iam:PassRole", train))
describe = lambda: client("ecr").describe_images(repositoryName="iam")
ecr.create_repository(repositoryName="iam")
equals(("AccessDeniedException", denied("ecr:DescribeImages", f"arn:aws:ecr:{region}:{account}:repository/iam")), refused(describe))
ecr.set_repository_policy(repositoryName="iam", policyText=document({"Effect": "Allow", "Principal": {"AWS": agent}, "Action": "ecr:DescribeImages"}))
describe()
equals("InvalidParameterException", refused(ecr.set_repository_policy, repositoryName="iam", policyText='{"Statement": []}')[0])

# KMS: the key's policy must speak; it can leave it to the account, and grants add to it.
kms = boto3.client("kms")
key = kms.create_key()["KeyMetadata"]["Arn"]
sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"job": "a"})["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"job": "a"})["Plaintext"] == b"secret"
equals("InvalidCiphertextException", refused(kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"job": "b"})[0])
data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
theirs = client("kms")
open_it = lambda: theirs.decrypt(CiphertextBlob=sealed, EncryptionContext={"job": "a"})
equals(("AccessDeniedException", denied("kms:Decrypt", key)), refused(open_it))
grant = kms.create_grant(KeyId=key, GranteePrincipal=agent, Operations=["Decrypt"], Constraints={"EncryptionContextSubset": {"job": "a"}})
assert open_it()["Plaintext"] == b"secret" and kms.list_grants(KeyId=key)["Grants"][0]["GrantId"] == grant["GrantId"]
kms.retire_grant(GrantToken=grant["GrantToken"])
equals("AccessDeniedException", refused(open_it)[0])
on_volume = dict(ResourceConfig=dict(InstanceType="ml.m5.large", InstanceCount=1, VolumeSizeInGB=1, VolumeKmsKeyId=key))
via = lambda service: allow("kms:CreateGrant", key, Condition={"StringEquals": {"kms:ViaService": service}, "Bool": {"kms:GrantIsForAWSResource": "true"}})
give("Agent", allow("sagemaker:*"), allow("iam:PassRole", train), via(f"SageMaker.{region}.amazonaws.com"))
equals(("AccessDeniedException", denied("kms:CreateGrant", key)), refused(sm.create_training_job, **request("j6", **on_volume)))
give("Agent", allow("sagemaker:*"), allow("iam:PassRole", train), via(f"sagemaker.{region}.amazonaws.com"))
sm.create_training_job(**request("j6", **on_volume))
completed("j6")
only_me = document({"Effect": "Allow", "Principal": {"AWS": sts.get_caller_identity()["Arn"]}, "Action": "kms:*", "Resource": "*"})
kms.put_key_policy(KeyId=key, Policy=only_me)
equals(("AccessDeniedException", denied("kms:CreateGrant", key, "because no resource-based policy allows the kms:CreateGrant action")), refused(sm.create_training_job, **request("j7", **on_volume)))
equals("MalformedPolicyDocumentException", refused(kms.put_key_policy, KeyId=key, Policy=document({"Effect": "Allow", "Principal": {"AWS": agent}, "Action": "kms:*", "Resource": "*"}))[0])
assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == json.loads(only_me)

# A user without a policy may do nothing; an explicit denial wins over an administrator's rights.
iam.create_user(UserName="eve")
pair = iam.create_access_key(UserName="eve")["AccessKey"]
eve = boto3.client("s3", aws_access_key_id=pair["AccessKeyId"], aws_secret_access_key=pair["SecretAccessKey"])
assert "because no identity-based policy allows the s3:ListAllMyBuckets action" in refused(eve.list_buckets)[1]
iam.attach_user_policy(UserName="eve", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
eve.list_buckets()
iam.put_user_policy(UserName="eve", PolicyName="no", PolicyDocument=document({"Effect": "Deny", "Action": "s3:List*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": "eve"}}}))
assert refused(eve.list_buckets)[1].endswith("with an explicit deny in an identity-based policy")
print("all of it holds")
