import type { ContextKeys } from "../../core/iam/context.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Permission } from "../iam/authorize.ts";
import { resourceTags, tagKeys } from "../iam/tag-keys.ts";
import type { AwsRequest } from "../service.ts";
import { keyIdOf } from "./cipher.ts";
import { bytesOf, encryptionContext, listOf, stringOf, tagsOf, textOf } from "./input.ts";
import type { KeyStore } from "./key-store.ts";

/** What each operation needs: itself on its key. https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html */
export function keyPermissions(keys: KeyStore) {
  return (operation: string, input: JsonObject, { principal }: AwsRequest): Permission[] => {
    const action = `kms:${operation}`;
    const caller: ContextKeys = { "kms:CallerAccount": principal.accountId };
    if (operation === "ListKeys") return [{ action, resource: "*", context: caller }];
    if (operation === "CreateKey") {
      return [{ action, resource: "*", context: { ...caller, ...tagKeys(tagsOf(input)) } }];
    }
    // Who may retire a grant stands in the grant: the operation asks by itself.
    if (operation === "RetireGrant") return [];
    const key = keys.get(
      operation === "Decrypt" ? keyIdOf(bytesOf(input, "CiphertextBlob")) : stringOf(input, "KeyId"),
    );
    const pairs = encryptionContext(input);
    const names = Object.keys(pairs);
    const context: Record<string, string | string[]> = {};
    for (const name of names) context[`kms:EncryptionContext:${name}`] = pairs[name]!;
    if (names.length > 0) context["kms:EncryptionContextKeys"] = names;
    if (operation === "CreateGrant") {
      context["kms:GrantOperations"] = listOf(input, "Operations");
      context["kms:GranteePrincipal"] = textOf(input, "GranteePrincipal") ?? "";
      context["kms:GrantIsForAWSResource"] = "false";
    }
    return [{ action, resource: key.arn, context: { ...caller, ...resourceTags(key.tags), ...context } }];
  };
}
