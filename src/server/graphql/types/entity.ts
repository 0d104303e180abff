import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { EntityRecord, MembershipRecord, UserRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { MemberRole } from "../enums.ts";
import { globalId, keyOf, requireKey } from "../ids.ts";
import { DefaultResourceConfig, Entity, EntityConnection, RunQueue, SuccessPayload, User } from "../refs.ts";

const EntityEdge = builder.objectRef<EntityRecord>("EntityEdge").implement({
  fields: (t) => ({ node: t.field({ type: Entity, resolve: (entity) => entity }) }),
});

EntityConnection.implement({
  fields: (t) => ({ edges: t.field({ type: [EntityEdge], resolve: (entities) => entities }) }),
});

const Organization = builder.objectRef<object>("Organization").implement({
  fields: (t) => ({ coreWeaveOrganizationId: t.string({ nullable: true, resolve: () => null }) }),
});

const EntityMember = builder.objectRef<MembershipRecord>("EntityMember").implement({
  fields: (t) => ({
    id: t.string({ nullable: true, resolve: (member) => globalId("User", member.userId) }),
    name: t.exposeString("username"),
    username: t.exposeString("username"),
    email: t.exposeString("email", { nullable: true }),
    role: t.expose("role", { type: MemberRole }),
    admin: t.boolean({ nullable: true, resolve: (member) => member.role === "ADMIN" }),
    pending: t.boolean({
      nullable: true,
      description: "false: whoever is invited is in the team at once.",
      resolve: () => false,
    }),
    accountType: t.string({
      nullable: true,
      description: "SERVICE for an account that no person is, else the role.",
      resolve: (member) => (member.service ? "SERVICE" : member.role),
    }),
    photoUrl: t.string({ nullable: true, description: "Null: there are no pictures.", resolve: () => null }),
    apiKey: t.string({
      nullable: true,
      description: "Null: keys are kept as hashes, so that none can be shown again.",
      resolve: () => null,
    }),
  }),
});

Entity.implement({
  fields: (t) => ({
    id: t.id({ resolve: (entity) => globalId("Entity", entity.id) }),
    name: t.exposeString("name"),
    isTeam: t.exposeBoolean("isTeam"),
    entityType: t.string({ nullable: true, resolve: (entity) => (entity.isTeam ? "team" : "user") }),
    available: t.boolean({ nullable: true, description: "false: the name is taken.", resolve: () => false }),
    photoUrl: t.string({ nullable: true, description: "Null: there are no pictures.", resolve: () => null }),
    readOnly: t.boolean({ nullable: true, description: "Nothing of an entity is read-only.", resolve: () => false }),
    readOnlyAdmin: t.boolean({ description: "Nothing of an entity is read-only.", resolve: () => false }),
    privateOnly: t.boolean({ description: "true: no project is seen without an API key.", resolve: () => true }),
    defaultAccess: t.string({ description: "What new projects have.", resolve: () => "PRIVATE" }),
    codeSavingEnabled: t.boolean({ description: "true: code artifacts are kept.", resolve: () => true }),
    isPaid: t.boolean({ nullable: true, description: "Null: there is nothing to pay.", resolve: () => null }),
    limits: t.field({
      type: "JSONString",
      nullable: true,
      description: "Null: an entity has no limits of its own.",
      resolve: () => null,
    }),
    storageBytes: t.field({
      type: "Int64",
      description: "What the code archives of the entity take, in bytes.",
      resolve: (entity, _args, { services, viewer }) => services.codeArchives.bytes(viewer, entity.name),
    }),
    organization: t.field({ type: Organization, nullable: true, resolve: () => null }),
    defaultResourceConfig: t.field({
      type: DefaultResourceConfig,
      nullable: true,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (entity, { id }, { services, viewer }) => {
        const key = keyOf("DefaultResourceConfig", id);
        return key === undefined ? null : services.queues.defaultResourceConfig(viewer, entity.name, key);
      },
    }),
    runQueues: t.field({
      type: [RunQueue],
      description: "Slipway: every queue of the entity.",
      resolve: (entity, _args, { services, viewer }) => services.queues.list(viewer, entity.name),
    }),
    members: t.field({
      type: [EntityMember],
      resolve: (entity, _args, { services, viewer }) => services.accounts.members(viewer, entity.id),
    }),
  }),
});

builder.queryField("entity", (t) =>
  t.field({
    type: Entity,
    nullable: true,
    args: { name: t.arg.string() },
    resolve: (_root, { name }, { services, viewer }) => services.accounts.entity(viewer, name ?? null),
  }),
);

const TeamMemberInput = builder.inputType("TeamMemberInput", {
  fields: (t) => ({
    username: t.string({ required: true }),
    role: t.field({ type: MemberRole, required: true }),
  }),
});

const CreateTeamInput = builder.inputType("CreateTeamInput", {
  fields: (t) => ({
    name: t.string({ description: "Slipway." }),
    members: t.field({ type: [TeamMemberInput], description: "Slipway." }),
    teamName: t.string(),
    teamAdminUserName: t.string({ description: "The team's admin; the caller if absent." }),
  }),
});

const CreateInviteInput = builder.inputType("CreateInviteInput", {
  fields: (t) => ({
    entityName: t.string({ required: true }),
    username: t.string(),
    email: t.string(),
    admin: t.boolean(),
  }),
});

const Invite = builder.objectRef<UserRecord>("Invite").implement({
  fields: (t) => ({
    id: t.id({ resolve: (user) => globalId("User", user.id) }),
    name: t.exposeString("name"),
    email: t.exposeString("email", { nullable: true }),
    createdAt: t.field({ type: "DateTime", nullable: true, resolve: (user) => user.createdAt }),
    toUser: t.field({ type: User, nullable: true, resolve: (user) => user }),
  }),
});

const CreateInvitePayload = builder.objectRef<{ readonly user: UserRecord }>("CreateInvitePayload").implement({
  fields: (t) => ({ invite: t.expose("user", { type: Invite, nullable: true }) }),
});

const DeleteInviteInput = builder.inputType("DeleteInviteInput", {
  fields: (t) => ({ id: t.string(), entityName: t.string() }),
});

const CreateServiceAccountInput = builder.inputType("CreateServiceAccountInput", {
  fields: (t) => ({ entityName: t.string({ required: true }), description: t.string({ required: true }) }),
});

const CreateServiceAccountPayload = builder
  .objectRef<{ readonly user: UserRecord }>("CreateServiceAccountPayload")
  .implement({ fields: (t) => ({ user: t.expose("user", { type: User, nullable: true }) }) });

const CreateTeamPayload = builder.objectRef<{ readonly entity: EntityRecord }>("CreateTeamPayload").implement({
  fields: (t) => ({ entity: t.expose("entity", { type: Entity }) }),
});

builder.mutationFields((t) => ({
  createTeam: t.field({
    type: CreateTeamPayload,
    args: { input: t.arg({ type: CreateTeamInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const name = input.name ?? input.teamName;
      if (!name) throw new SlipwayError("INPUT_INVALID", { values: { problem: "A team needs a name" }, where: "name" });
      const first = { username: input.teamAdminUserName ?? viewer.username, role: "ADMIN" } as const;
      const members = input.members ?? (input.teamName ? [first] : []);
      return { entity: await services.accounts.createTeam(viewer, { name, members }) };
    },
  }),
  createInvite: t.field({
    type: CreateInvitePayload,
    nullable: true,
    description: "Takes a user of this server into a team, at once.",
    args: { input: t.arg({ type: CreateInviteInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.teams.invite(viewer, {
        entityName: input.entityName,
        username: input.username ?? null,
        email: input.email ?? null,
        admin: input.admin ?? null,
      }),
  }),
  deleteInvite: t.field({
    type: SuccessPayload,
    nullable: true,
    description: "Takes a member out of a team; the id is the member's.",
    args: { input: t.arg({ type: DeleteInviteInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const userId = requireKey("User", input.id ?? "", "id");
      return { success: await services.teams.removeMember(viewer, { entityName: input.entityName ?? "", userId }) };
    },
  }),
  createServiceAccount: t.field({
    type: CreateServiceAccountPayload,
    nullable: true,
    description: "A user of the team that no person is; an admin makes its API key (createApiKey).",
    args: { input: t.arg({ type: CreateServiceAccountInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => ({
      user: await services.teams.createServiceAccount(viewer, input),
    }),
  }),
}));
