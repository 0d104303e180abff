import type { QueryAction, QueryInput } from "../query-protocol.ts";
import { managedDocument } from "./caller.ts";
import type { Iam } from "./iam.ts";
import { named } from "./inputs.ts";
import { noSuchEntity } from "./rows.ts";

/** Permissions boundaries of users and roles. */
export function boundaryActions(iam: Iam): Record<string, QueryAction> {
  return {
    PutUserPermissionsBoundary: (input) => {
      iam.users.setBoundary(named(input, "UserName"), boundaryOf(iam, input.required("PermissionsBoundary")));
      return undefined;
    },
    DeleteUserPermissionsBoundary: (input) => {
      iam.users.setBoundary(named(input, "UserName"), undefined);
      return undefined;
    },
    PutRolePermissionsBoundary: (input) => {
      iam.roles.setBoundary(named(input, "RoleName"), boundaryOf(iam, input.required("PermissionsBoundary")));
      return undefined;
    },
    DeleteRolePermissionsBoundary: (input) => {
      iam.roles.setBoundary(named(input, "RoleName"), undefined);
      return undefined;
    },
  };
}

/** The boundary that a new user or role is given. */
export function givenBoundary(iam: Iam, input: QueryInput): string | undefined {
  const arn = input.optional("PermissionsBoundary");
  return arn === undefined ? undefined : boundaryOf(iam, arn);
}

function boundaryOf({ policies }: Iam, arn: string): string {
  if (managedDocument(policies, arn).length > 0) return arn;
  throw noSuchEntity(`Scope ARN: ${arn} does not exist or is not attachable.`);
}
