import { randomBytes } from "node:crypto";
import { readPolicy } from "../../core/iam/read-policy.ts";
import type { JsonObject } from "../../core/json.ts";
import { deniedText } from "../iam/authorize.ts";
import { createJsonService, type JsonOperation } from "../json-protocol.ts";
import { AwsError, type AwsService } from "../service.ts";
import { decrypt, encrypt, keyIdOf } from "./cipher.ts";
import { bytesOf, encryptionContext, listOf, pairsOf, stringOf, tagsOf, textOf } from "./input.ts";
import type { Key, KeyStore, StoredGrant } from "./key-store.ts";
import { keyPermissions } from "./permissions.ts";

/** KMS encrypts at most 4 KiB by itself. */
const MAX_PLAINTEXT = 4096;

/** Key Management Service: symmetric keys, their policies and grants. https://docs.aws.amazon.com/kms/latest/APIReference/ */
export function createKmsService(keys: KeyStore, accountId: string): AwsService {
  const named = (input: JsonObject): Key => keys.get(stringOf(input, "KeyId"));
  const operations: Record<string, JsonOperation> = {
    CreateKey(input, request) {
      const policy = textOf(input, "Policy") ?? defaultPolicy(accountId);
      checkKeyPolicy(policy);
      const key = keys.create({
        region: request.region,
        description: textOf(input, "Description") ?? "",
        policy,
        tags: tagsOf(input),
      });
      return { KeyMetadata: metadata(key, accountId) };
    },
    DescribeKey: (input) => ({ KeyMetadata: metadata(named(input), accountId) }),
    ListKeys: () => ({ Keys: keys.list().map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })), Truncated: false }),
    GetKeyPolicy: (input) => ({ Policy: named(input).policy, PolicyName: "default" }),
    PutKeyPolicy(input, request) {
      const key = named(input);
      const policy = stringOf(input, "Policy");
      checkKeyPolicy(policy);
      keys.setPolicy(key.id, policy, () => {
        const stillMay = request.access({ action: "kms:PutKeyPolicy", resource: key.arn }).allowed;
        if (stillMay || input.BypassPolicyLockoutSafetyCheck === true) return;
        throw malformed("The new key policy will not allow you to update the key policy in the future.");
      });
      return undefined;
    },
    CreateGrant(input, request) {
      const key = named(input);
      const constraints = input.Constraints as JsonObject | undefined;
      const equals = pairsOf(constraints?.EncryptionContextEquals);
      const subset = pairsOf(constraints?.EncryptionContextSubset);
      const grant = keys.addGrant({
        keyId: key.id,
        granteePrincipal: stringOf(input, "GranteePrincipal"),
        retiringPrincipal: textOf(input, "RetiringPrincipal"),
        operations: listOf(input, "Operations"),
        name: textOf(input, "Name"),
        issuedBy: request.principal.arn,
        ...(constraints === undefined
          ? {}
          : {
              encryptionContext: {
                ...(equals === undefined ? {} : { equals }),
                ...(subset === undefined ? {} : { subset }),
              },
            }),
      });
      return { GrantId: grant.id, GrantToken: grant.token };
    },
    ListGrants: (input) => ({ Grants: keys.grants(named(input).id).map(grantOf), Truncated: false }),
    RetireGrant(input, request) {
      const grant = retired(keys, input);
      const key = keys.get(grant.keyId);
      const isRetirer = grant.retiringPrincipal === request.principal.arn;
      const permission = { action: "kms:RetireGrant", resource: key.arn };
      const verdict = request.access(permission);
      if (!isRetirer && !verdict.allowed) {
        throw new AwsError("AccessDeniedException", deniedText(request.principal, permission, verdict.reason));
      }
      keys.removeGrant(grant.keyId, grant.id);
      return undefined;
    },
    RevokeGrant(input) {
      keys.removeGrant(named(input).id, stringOf(input, "GrantId"));
      return undefined;
    },
    Encrypt(input) {
      const key = named(input);
      const plaintext = bytesOf(input, "Plaintext");
      if (plaintext.length > MAX_PLAINTEXT) {
        const rule = `Member must have length less than or equal to ${MAX_PLAINTEXT}`;
        throw new AwsError(
          "ValidationException",
          `1 validation error detected: Value at 'plaintext' failed to satisfy constraint: ${rule}`,
        );
      }
      const blob = encrypt(key, plaintext, encryptionContext(input));
      return { CiphertextBlob: blob.toString("base64"), KeyId: key.arn, EncryptionAlgorithm: "SYMMETRIC_DEFAULT" };
    },
    Decrypt(input) {
      const blob = bytesOf(input, "CiphertextBlob");
      const key = keys.get(keyIdOf(blob));
      const wanted = textOf(input, "KeyId");
      if (wanted !== undefined && keys.get(wanted).id !== key.id) {
        const text = "The key ID in the request does not identify a CMK that can perform this operation.";
        throw new AwsError("IncorrectKeyException", text);
      }
      const plaintext = decrypt(key, blob, encryptionContext(input));
      return { KeyId: key.arn, Plaintext: plaintext.toString("base64"), EncryptionAlgorithm: "SYMMETRIC_DEFAULT" };
    },
    GenerateDataKey: (input) => dataKey(named(input), input, true),
    GenerateDataKeyWithoutPlaintext: (input) => dataKey(named(input), input, false),
  };
  return createJsonService({
    scope: "kms",
    targetPrefix: "TrentService",
    operations,
    permissions: keyPermissions(keys),
  });
}

function dataKey(key: Key, input: JsonObject, withPlaintext: boolean): object {
  const size = textOf(input, "KeySpec") === "AES_128" ? 16 : 32;
  const plaintext = randomBytes(typeof input.NumberOfBytes === "number" ? input.NumberOfBytes : size);
  const blob = encrypt(key, plaintext, encryptionContext(input));
  return {
    CiphertextBlob: blob.toString("base64"),
    KeyId: key.arn,
    ...(withPlaintext ? { Plaintext: plaintext.toString("base64") } : {}),
  };
}

function retired(keys: KeyStore, input: JsonObject): StoredGrant {
  const token = textOf(input, "GrantToken");
  const id = textOf(input, "GrantId");
  const grant =
    token === undefined
      ? keys.grants(keys.get(stringOf(input, "KeyId")).id).find((each) => each.id === id)
      : keys.grantByToken(token);
  if (grant === undefined) throw new AwsError("NotFoundException", `Grant ID ${id ?? "of the token"} not found`);
  return grant;
}

/** What AWS gives a key without a policy: the account's own policies decide. */
function defaultPolicy(accountId: string): string {
  const Principal = { AWS: `arn:aws:iam::${accountId}:root` };
  const statement = { Sid: "Enable IAM User Permissions", Effect: "Allow", Principal, Action: "kms:*", Resource: "*" };
  return JSON.stringify({ Version: "2012-10-17", Id: "key-default-1", Statement: [statement] });
}

function checkKeyPolicy(document: string): void {
  const [problem] = readPolicy(document, "resource").problems;
  if (problem !== undefined) throw malformed(problem.aws);
}

function malformed(text: string): AwsError {
  return new AwsError("MalformedPolicyDocumentException", text);
}

function metadata(key: Key, accountId: string): object {
  return {
    AWSAccountId: accountId,
    KeyId: key.id,
    Arn: key.arn,
    CreationDate: key.createdAt / 1000,
    Enabled: true,
    Description: key.description,
    KeyUsage: "ENCRYPT_DECRYPT",
    KeyState: "Enabled",
    Origin: "AWS_KMS",
    KeyManager: "CUSTOMER",
    CustomerMasterKeySpec: "SYMMETRIC_DEFAULT",
    KeySpec: "SYMMETRIC_DEFAULT",
    EncryptionAlgorithms: ["SYMMETRIC_DEFAULT"],
    MultiRegion: false,
  };
}

function grantOf(grant: StoredGrant): object {
  const { equals, subset } = grant.encryptionContext ?? {};
  return {
    KeyId: grant.keyId,
    GrantId: grant.id,
    ...(grant.name === undefined ? {} : { Name: grant.name }),
    CreationDate: grant.createdAt / 1000,
    GranteePrincipal: grant.granteePrincipal,
    ...(grant.retiringPrincipal === undefined ? {} : { RetiringPrincipal: grant.retiringPrincipal }),
    IssuingAccount: grant.issuedBy,
    Operations: grant.operations,
    ...(grant.encryptionContext === undefined
      ? {}
      : {
          Constraints: {
            ...(equals === undefined ? {} : { EncryptionContextEquals: equals }),
            ...(subset === undefined ? {} : { EncryptionContextSubset: subset }),
          },
        }),
  };
}
