import type { QueryAction, QueryInput } from "../query-protocol.ts";
import type { Iam } from "./iam.ts";
import { named, pageXml, withoutTags, withTags } from "./inputs.ts";
import type { Owner } from "./policies.ts";
import { checkPath, tagsToXml } from "./rows.ts";
import { iamDocument, policyXml, versionXml } from "./xml.ts";

/** Managed policies. */
export function policyActions({ policies }: Iam): Record<string, QueryAction> {
  const arn = (input: QueryInput) => input.required("PolicyArn");
  return {
    CreatePolicy: (input) => {
      const policy = policies.create(
        named(input, "PolicyName"),
        checkPath(input.optional("Path")),
        input.optional("Description") ?? "",
        input.required("PolicyDocument"),
        withTags(input)({}),
      );
      return { Policy: policyXml(policy) };
    },
    GetPolicy: (input) => ({ Policy: policyXml(policies.get(arn(input))) }),
    ListPolicies: (input) => {
      // The policies that AWS manages are not kept here.
      const isOwn = input.optional("Scope") !== "AWS";
      const list = isOwn
        ? policies.list(input.optional("PathPrefix") ?? "/", input.optional("OnlyAttached") === "true")
        : [];
      return pageXml(input, "Policies", list, ({ name }) => name, policyXml);
    },
    DeletePolicy: (input) => {
      policies.delete(arn(input));
      return undefined;
    },
    CreatePolicyVersion: (input) => ({
      PolicyVersion: versionXml(
        policies.createVersion(arn(input), input.required("PolicyDocument"), input.optional("SetAsDefault") === "true"),
        false,
      ),
    }),
    GetPolicyVersion: (input) => ({
      PolicyVersion: versionXml(policies.getVersion(arn(input), input.required("VersionId")), true),
    }),
    ListPolicyVersions: (input) =>
      pageXml(
        input,
        "Versions",
        policies.versions(arn(input)),
        ({ id }) => id,
        (version) => versionXml(version, false),
      ),
    SetDefaultPolicyVersion: (input) => {
      policies.setDefaultVersion(arn(input), input.required("VersionId"));
      return undefined;
    },
    DeletePolicyVersion: (input) => {
      policies.deleteVersion(arn(input), input.required("VersionId"));
      return undefined;
    },
    TagPolicy: (input) => {
      policies.setTags(arn(input), withTags(input));
      return undefined;
    },
    UntagPolicy: (input) => {
      policies.setTags(arn(input), withoutTags(input));
      return undefined;
    },
    ListPolicyTags: (input) => ({ Tags: tagsToXml(policies.get(arn(input)).tags), IsTruncated: false }),
    ListEntitiesForPolicy: (input) => {
      const attached = policies.attachedTo(arn(input));
      const names = (owner: Owner) => attached.filter((entity) => entity.owner === owner).map(({ name }) => name);
      return {
        PolicyGroups: {},
        PolicyUsers: { member: names("user").map((UserName) => ({ UserName })) },
        PolicyRoles: { member: names("role").map((RoleName) => ({ RoleName })) },
        IsTruncated: false,
      };
    },
  };
}

/** Policies in and on a user or a role: the same seven actions under two names. */
export function ownedPolicyActions(iam: Iam, owner: Owner): Record<string, QueryAction> {
  const { policies } = iam;
  const kind = owner === "user" ? "User" : "Role";
  const ownerName = (input: QueryInput) => {
    const name = named(input, `${kind}Name`);
    return owner === "user" ? iam.users.get(name).name : iam.roles.get(name).name;
  };
  return {
    [`Put${kind}Policy`]: (input) => {
      policies.putInline(owner, ownerName(input), named(input, "PolicyName"), input.required("PolicyDocument"));
      return undefined;
    },
    [`Get${kind}Policy`]: (input) => {
      const name = ownerName(input);
      const policy = named(input, "PolicyName");
      const document = iamDocument(policies.getInline(owner, name, policy));
      return { [`${kind}Name`]: name, PolicyName: policy, PolicyDocument: document };
    },
    [`Delete${kind}Policy`]: (input) => {
      policies.deleteInline(owner, ownerName(input), named(input, "PolicyName"));
      return undefined;
    },
    [`List${kind}Policies`]: (input) =>
      pageXml(
        input,
        "PolicyNames",
        policies.listInline(owner, ownerName(input)),
        (name) => name,
        (name) => name,
      ),
    [`Attach${kind}Policy`]: (input) => {
      policies.attach(owner, ownerName(input), input.required("PolicyArn"));
      return undefined;
    },
    [`Detach${kind}Policy`]: (input) => {
      policies.detach(owner, ownerName(input), input.required("PolicyArn"));
      return undefined;
    },
    [`ListAttached${kind}Policies`]: (input) =>
      pageXml(
        input,
        "AttachedPolicies",
        policies.attached(owner, ownerName(input)),
        ({ arn }) => arn,
        ({ name, arn }) => ({
          PolicyName: name,
          PolicyArn: arn,
        }),
      ),
  };
}
