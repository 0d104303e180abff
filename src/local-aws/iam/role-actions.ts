import type { QueryAction, QueryInput } from "../query-protocol.ts";
import { givenBoundary } from "./boundary-actions.ts";
import type { Iam } from "./iam.ts";
import { maxSessionSeconds, named, pageXml, withoutTags, withTags } from "./inputs.ts";
import { checkPath, tagsToXml } from "./rows.ts";
import { profileXml, roleXml } from "./xml.ts";

/** Roles, and the instance profiles that hold them. */
export function roleActions(iam: Iam): Record<string, QueryAction> {
  const { roles, instanceProfiles: profiles } = iam;
  const profileNamed = (input: QueryInput) => named(input, "InstanceProfileName");
  return {
    CreateRole: (input) => {
      const role = roles.create({
        name: named(input, "RoleName", 64),
        path: checkPath(input.optional("Path")),
        tags: withTags(input)({}),
        trustPolicy: input.required("AssumeRolePolicyDocument"),
        description: input.optional("Description") ?? "",
        maxSessionSeconds: maxSessionSeconds(input),
        boundary: givenBoundary(iam, input),
      });
      return { Role: roleXml(role) };
    },
    GetRole: (input) => ({ Role: roleXml(roles.get(named(input, "RoleName"))) }),
    ListRoles: (input) =>
      pageXml(
        input,
        "Roles",
        roles.list(input.optional("PathPrefix") ?? "/"),
        ({ name }) => name,
        (role) => roleXml(role, false),
      ),
    UpdateRole: (input) => {
      const description = input.optional("Description");
      roles.update(named(input, "RoleName"), {
        ...(description === undefined ? {} : { description }),
        ...(input.optional("MaxSessionDuration") === undefined ? {} : { maxSessionSeconds: maxSessionSeconds(input) }),
      });
      return {};
    },
    UpdateAssumeRolePolicy: (input) => {
      roles.update(named(input, "RoleName"), { trustPolicy: input.required("PolicyDocument") });
      return undefined;
    },
    DeleteRole: (input) => {
      roles.delete(named(input, "RoleName"));
      return undefined;
    },
    TagRole: (input) => {
      roles.setTags(named(input, "RoleName"), withTags(input));
      return undefined;
    },
    UntagRole: (input) => {
      roles.setTags(named(input, "RoleName"), withoutTags(input));
      return undefined;
    },
    ListRoleTags: (input) => ({ Tags: tagsToXml(roles.get(named(input, "RoleName")).tags), IsTruncated: false }),
    CreateInstanceProfile: (input) => {
      const profile = profiles.create(profileNamed(input), checkPath(input.optional("Path")), withTags(input)({}));
      return { InstanceProfile: profileXml(profile, roles) };
    },
    GetInstanceProfile: (input) => ({ InstanceProfile: profileXml(profiles.get(profileNamed(input)), roles) }),
    ListInstanceProfiles: (input) =>
      pageXml(
        input,
        "InstanceProfiles",
        profiles.list(input.optional("PathPrefix") ?? "/"),
        ({ name }) => name,
        (profile) => profileXml(profile, roles),
      ),
    ListInstanceProfilesForRole: (input) => {
      const role = roles.get(named(input, "RoleName"));
      const holding = profiles.list("/").filter((profile) => profile.role?.toLowerCase() === role.name.toLowerCase());
      return pageXml(
        input,
        "InstanceProfiles",
        holding,
        ({ name }) => name,
        (profile) => profileXml(profile, roles),
      );
    },
    AddRoleToInstanceProfile: (input) => {
      profiles.addRole(profileNamed(input), roles.get(named(input, "RoleName")).name);
      return undefined;
    },
    RemoveRoleFromInstanceProfile: (input) => {
      profiles.removeRole(profileNamed(input), named(input, "RoleName"));
      return undefined;
    },
    DeleteInstanceProfile: (input) => {
      profiles.delete(profileNamed(input));
      return undefined;
    },
  };
}
