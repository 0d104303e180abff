import type { EntityRecord, MembershipRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { MemberRole } from "../enums.ts";
import { globalId, keyOf } from "../ids.ts";
import { DefaultResourceConfig, Entity, EntityConnection, RunQueue } from "../refs.ts";

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
  fields: (t) => ({ username: t.exposeString("username"), role: t.expose("role", { type: MemberRole }) }),
});

Entity.implement({
  fields: (t) => ({
    id: t.id({ resolve: (entity) => globalId("Entity", entity.id) }),
    name: t.exposeString("name"),
    isTeam: t.exposeBoolean("isTeam"),
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
    name: t.string({ required: true }),
    members: t.field({ type: [TeamMemberInput], required: true }),
  }),
});

const CreateTeamPayload = builder.objectRef<{ readonly entity: EntityRecord }>("CreateTeamPayload").implement({
  fields: (t) => ({ entity: t.expose("entity", { type: Entity }) }),
});

builder.mutationField("createTeam", (t) =>
  t.field({
    type: CreateTeamPayload,
    args: { input: t.arg({ type: CreateTeamInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => ({
      entity: await services.accounts.createTeam(viewer, input),
    }),
  }),
);
