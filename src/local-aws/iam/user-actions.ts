import type { QueryAction } from "../query-protocol.ts";
import { givenBoundary } from "./boundary-actions.ts";
import type { Iam } from "./iam.ts";
import { named, oneOf, pageXml, userNamed, withoutTags, withTags } from "./inputs.ts";
import { checkPath, tagsToXml } from "./rows.ts";
import { iamTime, userXml } from "./xml.ts";

/** Users and access keys. */
export function userActions(iam: Iam): Record<string, QueryAction> {
  const { users } = iam;
  return {
    CreateUser: (input) => {
      const boundary = givenBoundary(iam, input);
      const { name } = users.create(
        named(input, "UserName", 64),
        checkPath(input.optional("Path")),
        withTags(input)({}),
      );
      if (boundary !== undefined) users.setBoundary(name, boundary);
      const user = users.get(name);
      return { User: userXml(user) };
    },
    GetUser: (input, request) => ({ User: userXml(users.get(userNamed(input, request))) }),
    ListUsers: (input) =>
      pageXml(
        input,
        "Users",
        users.list(input.optional("PathPrefix") ?? "/"),
        ({ name }) => name,
        (user) => userXml(user, false),
      ),
    DeleteUser: (input) => {
      users.delete(named(input, "UserName"));
      return undefined;
    },
    TagUser: (input) => {
      users.setTags(named(input, "UserName"), withTags(input));
      return undefined;
    },
    UntagUser: (input) => {
      users.setTags(named(input, "UserName"), withoutTags(input));
      return undefined;
    },
    ListUserTags: (input) => ({ Tags: tagsToXml(users.get(named(input, "UserName")).tags), IsTruncated: false }),
    CreateAccessKey: (input, request) => {
      const key = users.createKey(userNamed(input, request));
      return {
        AccessKey: {
          UserName: key.userName,
          AccessKeyId: key.id,
          Status: key.status,
          SecretAccessKey: key.secret,
          CreateDate: iamTime(key.createdAt),
        },
      };
    },
    ListAccessKeys: (input, request) =>
      pageXml(
        input,
        "AccessKeyMetadata",
        users.keys(userNamed(input, request)),
        ({ id }) => id,
        (key) => ({
          UserName: key.userName,
          AccessKeyId: key.id,
          Status: key.status,
          CreateDate: iamTime(key.createdAt),
        }),
      ),
    UpdateAccessKey: (input, request) => {
      const status = oneOf(input, "Status", ["Active", "Inactive"]) as "Active" | "Inactive";
      users.setKeyStatus(userNamed(input, request), input.required("AccessKeyId"), status);
      return undefined;
    },
    DeleteAccessKey: (input, request) => {
      users.deleteKey(userNamed(input, request), input.required("AccessKeyId"));
      return undefined;
    },
  };
}
