"""S3 of the local AWS as boto3 sees it. Run with the AWS_* settings of the local AWS; SLIPWAY_BUCKET is empty at the start."""
import base64, hashlib, io, os, threading, urllib.error, urllib.parse, urllib.request, zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
bucket = os.environ["SLIPWAY_BUCKET"]


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), (got, error)
        return error.response["Error"]
    raise AssertionError(f"{call} was not refused")


# Buckets
s3.create_bucket(Bucket="second-bucket")
s3.create_bucket(Bucket="in-europe", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
assert {b["Name"] for b in s3.list_buckets()["Buckets"]} == {bucket, "second-bucket", "in-europe"}
assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
assert s3.get_bucket_location(Bucket="in-europe")["LocationConstraint"] == "eu-central-1"
s3.head_bucket(Bucket=bucket)
refused("404", 404, s3.head_bucket, Bucket="no-such-bucket")
refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="no-such-bucket")
for name in ("Upper", "a", "1.2.3.4", "under_score"):
    try:
        s3.create_bucket(Bucket=name)
        raise AssertionError(name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidBucketName", error
    except Exception as error:
        assert "Invalid bucket name" in str(error), error

# Keys with odd characters, through put, get, head, list, copy and delete
KEYS = ["plain", "dir/a b+ü~(1)'*.txt", "100%", "a%2Fb", "+", "&=?#", "日本語/🎉", "back\\slash", "tr ailing ", "dots/../x", "a//b", "q\"<>", "new\nline", "ctrl\x01"]
for key in KEYS:
    put = s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"from": "boto3"}, ContentType="text/x-odd")
    assert put["ETag"] == f'"{hashlib.md5(key.encode()).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key=key)
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (key.encode(), {"from": "boto3"}, "text/x-odd"), key
    s3.copy_object(Bucket="second-bucket", Key=key, CopySource={"Bucket": bucket, "Key": key})
    assert s3.head_object(Bucket="second-bucket", Key=key)["ETag"] == put["ETag"]
listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
assert listed == sorted(KEYS, key=lambda k: k.encode()), listed
assert [o["Key"] for o in s3.list_objects(Bucket="second-bucket")["Contents"]] == listed
deleted = s3.delete_objects(Bucket="second-bucket", Delete={"Objects": [{"Key": k} for k in KEYS if "\x01" not in k and "\n" not in k]})
assert len(deleted["Deleted"]) == len(KEYS) - 2 and "Errors" not in deleted
for key in KEYS:
    s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket="second-bucket", Key=key)
assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
assert refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="plain")["Key"] == "plain"
refused("404", 404, s3.head_object, Bucket=bucket, Key="plain")
refused("KeyTooLongError", 400, s3.put_object, Bucket=bucket, Key="k" * 1025)

# Ranges and conditions
body = bytes(range(256)) * 4
put = s3.put_object(Bucket=bucket, Key="r", Body=body)
for header, expected in (("bytes=0-9", body[:10]), ("bytes=1000-", body[1000:]), ("bytes=-5", body[-5:]), ("bytes=1020-9999", body[1020:])):
    got = s3.get_object(Bucket=bucket, Key="r", Range=header)
    assert got["Body"].read() == expected and got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"].endswith("/1024")
refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="r", Range="bytes=1024-")
s3.get_object(Bucket=bucket, Key="r", IfMatch=put["ETag"])
refused("PreconditionFailed", 412, s3.get_object, Bucket=bucket, Key="r", IfMatch='"other"')
refused("304", 304, s3.get_object, Bucket=bucket, Key="r", IfNoneMatch=put["ETag"])
refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="r", Body=b"", IfNoneMatch="*")
s3.put_object(Bucket=bucket, Key="r", Body=b"new", IfMatch=put["ETag"])
refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="r", Body=b"", IfMatch=put["ETag"])
s3.put_object(Bucket=bucket, Key="empty", Body=b"")
assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""

# Checksums
put = s3.put_object(Bucket=bucket, Key="c", Body=b"123456789", ChecksumAlgorithm="SHA256")
assert put["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"123456789").digest()).decode()
assert s3.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")["ChecksumSHA256"] == put["ChecksumSHA256"]
s3.put_object(Bucket=bucket, Key="c", Body=b"123456789", ChecksumCRC32=base64.b64encode(zlib.crc32(b"123456789").to_bytes(4, "big")).decode())
refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="c", Body=b"x", ChecksumCRC32="AAAAAA==")
refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="c", Body=b"x", ContentMD5=base64.b64encode(bytes(16)).decode())
assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"123456789"

# Listing: pages, delimiter
for i in range(25):
    s3.put_object(Bucket="second-bucket", Key=f"a/{i % 5}/{i:02}", Body=b"")
s3.put_object(Bucket="second-bucket", Key="top", Body=b"")
for operation in ("list_objects", "list_objects_v2"):
    pages = list(s3.get_paginator(operation).paginate(Bucket="second-bucket", Prefix="a/", PaginationConfig={"PageSize": 4}))
    keys = [o["Key"] for page in pages for o in page["Contents"]]
    assert len(pages) == 7 and keys == sorted(keys) and len(keys) == 25, keys
    pages = list(s3.get_paginator(operation).paginate(Bucket="second-bucket", Prefix="a/", Delimiter="/", PaginationConfig={"PageSize": 2}))
    groups = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
    assert groups == [f"a/{i}/" for i in range(5)], groups
page = s3.list_objects_v2(Bucket="second-bucket", Delimiter="/")
assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/"] and [o["Key"] for o in page["Contents"]] == ["top"]
assert s3.list_objects_v2(Bucket="second-bucket", StartAfter="a/4/19")["KeyCount"] == 2
refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="second-bucket")
boto3.resource("s3").Bucket("second-bucket").objects.all().delete()
s3.delete_bucket(Bucket="second-bucket")

# Multipart: by the transfer manager, by hand, with a part copied
big = os.urandom(20 * 1024 * 1024 + 7)
s3.upload_fileobj(io.BytesIO(big), bucket, "big", Config=TransferConfig(multipart_threshold=1, multipart_chunksize=6 * 1024 * 1024))
head = s3.head_object(Bucket=bucket, Key="big")
assert head["ETag"].endswith('-4"') and head["ContentLength"] == len(big)
got = io.BytesIO()
s3.download_fileobj(bucket, "big", got)
assert got.getvalue() == big
assert s3.get_object(Bucket=bucket, Key="big", PartNumber=2)["Body"].read() == big[6 * 1024 * 1024 : 12 * 1024 * 1024]
assert s3.get_object(Bucket=bucket, Key="big", Range="bytes=6291450-6291460")["Body"].read() == big[6291450:6291461]
upload = s3.create_multipart_upload(Bucket=bucket, Key="by hand", Metadata={"a": "b"}, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
first = s3.upload_part(Bucket=bucket, Key="by hand", UploadId=upload, PartNumber=1, Body=big[: 5 * 1024 * 1024])
copied = s3.upload_part_copy(Bucket=bucket, Key="by hand", UploadId=upload, PartNumber=2, CopySource=f"{bucket}/big", CopySourceRange="bytes=5242880-10485759")
last = s3.upload_part(Bucket=bucket, Key="by hand", UploadId=upload, PartNumber=7, Body=b"end")
parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": copied["CopyPartResult"]["ETag"]}, {"PartNumber": 7, "ETag": last["ETag"]}]
assert [p["PartNumber"] for p in s3.list_parts(Bucket=bucket, Key="by hand", UploadId=upload)["Parts"]] == [1, 2, 7]
complete = lambda parts: s3.complete_multipart_upload(Bucket=bucket, Key="by hand", UploadId=upload, MultipartUpload={"Parts": parts})
refused("InvalidPartOrder", 400, complete, parts=parts[::-1])
refused("InvalidPart", 400, complete, parts=[{"PartNumber": 3, "ETag": '"x"'}])
refused("EntityTooSmall", 400, complete, parts=[parts[0], parts[2], {"PartNumber": 8, "ETag": s3.upload_part(Bucket=bucket, Key="by hand", UploadId=upload, PartNumber=8, Body=b"x")["ETag"]}])
done = complete(parts)
md5s = b"".join(bytes.fromhex(p["ETag"].strip('"')) for p in parts)
assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"', done
whole = big[: 10 * 1024 * 1024] + b"end"
assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(whole).to_bytes(4, "big")).decode(), done
assert complete(parts)["ETag"] == done["ETag"]
got = s3.get_object(Bucket=bucket, Key="by hand")
assert got["Body"].read() == whole and got["Metadata"] == {"a": "b"}
upload = s3.create_multipart_upload(Bucket=bucket, Key="given up")["UploadId"]
s3.upload_part(Bucket=bucket, Key="given up", UploadId=upload, PartNumber=1, Body=b"x")
s3.abort_multipart_upload(Bucket=bucket, Key="given up", UploadId=upload)
refused("NoSuchUpload", 404, s3.upload_part, Bucket=bucket, Key="given up", UploadId=upload, PartNumber=2, Body=b"x")

# Copies: of a multipart object, with new metadata, onto itself
copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/big")
assert copy["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(big).hexdigest()}"'
refused("InvalidRequest", 400, s3.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/copy")
s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/copy", MetadataDirective="REPLACE", Metadata={"new": "1"})
assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"new": "1"}
s3.delete_object(Bucket=bucket, Key="big")
assert hashlib.md5(s3.get_object(Bucket=bucket, Key="copy")["Body"].read()).digest() == hashlib.md5(big).digest()

# Tags
s3.put_object(Bucket=bucket, Key="t", Body=b"", Tagging="a=1&b=2%203")
assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2 3"}]
s3.put_object_tagging(Bucket=bucket, Key="t", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == [{"Key": "x", "Value": "y"}]
s3.delete_object_tagging(Bucket=bucket, Key="t")
assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == []
refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "ml"}]

# Presigned URLs, of both signature versions and both addressing styles
endpoint = os.environ["AWS_ENDPOINT_URL"]
clients = {
    "v2": s3,
    "v4": boto3.client("s3", config=Config(signature_version="s3v4")),
    "v4 virtual": boto3.client("s3", endpoint_url=endpoint.replace("127.0.0.1", "localhost"), config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"})),
    "v2 virtual": boto3.client("s3", endpoint_url=endpoint.replace("127.0.0.1", "localhost"), config=Config(s3={"addressing_style": "virtual"})),
}
for name, client in clients.items():
    key = f"signed/{name} ü+.txt"
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, "ContentType": "text/plain"})
    # Name resolution of *.localhost is not given on every machine: the address is dialled, the name is sent.
    host = urllib.parse.urlsplit(url).netloc
    dial = lambda u: u.replace(host, endpoint.removeprefix("http://"), 1)
    send = lambda u, method, data=None, headers={}: urllib.request.urlopen(urllib.request.Request(dial(u), data=data, method=method, headers={"Host": host, **headers}))
    assert send(url, "PUT", b"signed", {"Content-Type": "text/plain"}).status == 200
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, "ResponseContentType": "text/x; a=b"})
    answer = send(url, "GET")
    assert answer.read() == b"signed" and answer.headers["Content-Type"] == "text/x; a=b", name
    for wrong in (url.replace("signed/", "signed2/"), url[:-4] + ("AAAA" if "AWSAccessKeyId" not in url else "9999"), url.replace("response-content-type", "response-content-language")):
        try:
            send(wrong, "GET")
            raise AssertionError(wrong)
        except urllib.error.HTTPError as error:
            assert error.code == 403, (name, error.read())

# A key that is read while it is replaced and deleted stays whole
s3.put_object(Bucket=bucket, Key="busy", Body=big)
reading = s3.get_object(Bucket=bucket, Key="busy")["Body"]
start = reading.read(100)
s3.put_object(Bucket=bucket, Key="busy", Body=b"other")
s3.delete_object(Bucket=bucket, Key="busy")
assert start + reading.read() == big

# Writers at once: the object is one of what was written, never a mixture
def write(n):
    boto3.client("s3").put_object(Bucket=bucket, Key="race", Body=bytes([n]) * 100_000)
threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(set(s3.get_object(Bucket=bucket, Key="race")["Body"].read())) == 1
print("all of it holds")
