import type { XmlObject } from "../xml.ts";
import type { InstanceProfile } from "./instance-profiles.ts";
import type { ManagedPolicy, PolicyVersion } from "./policies.ts";
import type { Role, RoleStore } from "./roles.ts";
import { type Tags, tagsToXml } from "./rows.ts";
import type { User } from "./users.ts";

/** How IAM writes its things in XML. */

export function iamTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Policy documents are percent-encoded in answers. */
export function iamDocument(document: string): string {
  return encodeURIComponent(document).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function boundaryXml(arn: string | undefined): XmlObject {
  if (arn === undefined) return {};
  return { PermissionsBoundary: { PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: arn } };
}

function maybeTags(tags: Tags): XmlObject {
  return Object.keys(tags).length === 0 ? {} : { Tags: tagsToXml(tags) };
}

export function userXml(user: User, withTags = true): XmlObject {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: user.arn,
    CreateDate: iamTime(user.createdAt),
    ...(withTags ? boundaryXml(user.boundary) : {}),
    ...(withTags ? maybeTags(user.tags) : {}),
  };
}

export function roleXml(role: Role, withTags = true): XmlObject {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: iamTime(role.createdAt),
    AssumeRolePolicyDocument: iamDocument(role.trustPolicy),
    ...(role.description === "" ? {} : { Description: role.description }),
    MaxSessionDuration: role.maxSessionSeconds,
    ...(withTags ? boundaryXml(role.boundary) : {}),
    ...(withTags ? maybeTags(role.tags) : {}),
  };
}

export function policyXml(policy: ManagedPolicy): XmlObject {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: policy.attachmentCount,
    PermissionsBoundaryUsageCount: 0,
    IsAttachable: true,
    ...(policy.description === "" ? {} : { Description: policy.description }),
    CreateDate: iamTime(policy.createdAt),
    UpdateDate: iamTime(policy.updatedAt),
    ...maybeTags(policy.tags),
  };
}

export function versionXml(version: PolicyVersion, withDocument: boolean): XmlObject {
  return {
    ...(withDocument ? { Document: iamDocument(version.document) } : {}),
    VersionId: version.id,
    IsDefaultVersion: version.isDefault,
    CreateDate: iamTime(version.createdAt),
  };
}

export function profileXml(profile: InstanceProfile, roles: RoleStore): XmlObject {
  const role = profile.role === undefined ? undefined : roles.get(profile.role);
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: profile.arn,
    CreateDate: iamTime(profile.createdAt),
    Roles: role === undefined ? {} : { member: roleXml(role, false) },
    ...maybeTags(profile.tags),
  };
}
