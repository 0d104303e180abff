import type { ApiKeyRecord, UserRecord } from "../../../store/records.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { ApiKey, EntityConnection, SuccessPayload, User } from "../refs.ts";

const ApiKeyEdge = builder.objectRef<ApiKeyRecord>("ApiKeyEdge").implement({
  fields: (t) => ({ node: t.field({ type: ApiKey, resolve: (key) => key }) }),
});

const ApiKeyConnection = builder.objectRef<readonly ApiKeyRecord[]>("ApiKeyConnection").implement({
  fields: (t) => ({ edges: t.field({ type: [ApiKeyEdge], resolve: (keys) => keys }) }),
});

User.implement({
  fields: (t) => ({
    id: t.id({ resolve: (user) => globalId("User", user.id) }),
    name: t.exposeString("name"),
    username: t.exposeString("name"),
    email: t.exposeString("email", { nullable: true }),
    admin: t.exposeBoolean("admin"),
    entity: t.exposeString("name", { description: "The name of the user's own entity." }),
    flags: t.field({ type: "JSONString", nullable: true, resolve: () => "{}" }),
    deletedAt: t.expose("deletedAt", { type: "DateTime", nullable: true }),
    apiKeys: t.field({
      type: ApiKeyConnection,
      resolve: (user, _args, { services, viewer }) => services.accounts.apiKeys(viewer, user.id),
    }),
    teams: t.field({
      type: EntityConnection,
      resolve: (user, _args, { services, viewer }) => services.accounts.teams(viewer, user.id),
    }),
  }),
});

ApiKey.implement({
  fields: (t) => ({
    id: t.id({ resolve: (key) => globalId("ApiKey", key.id) }),
    name: t.exposeString("name"),
    description: t.exposeString("description", { nullable: true }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    lastUsedAt: t.expose("lastUsedAt", { type: "DateTime", nullable: true }),
  }),
});

builder.queryFields((t) => ({
  viewer: t.field({
    type: User,
    nullable: true,
    resolve: (_root, _args, { services, viewer }) => services.accounts.user(viewer),
  }),
  users: t.field({
    type: [User],
    description: "Slipway: the users of this server. Admins only.",
    resolve: (_root, _args, { services, viewer }) => services.accounts.users(viewer),
  }),
}));

const CreateUserInput = builder.inputType("CreateUserInput", {
  fields: (t) => ({
    name: t.string({ required: true }),
    email: t.string(),
    admin: t.boolean(),
    apiKey: t.string({ description: "Any key the wandb client accepts; one is made if absent." }),
  }),
});

const CreateUserPayload = builder
  .objectRef<{ readonly user: UserRecord; readonly apiKey: string }>("CreateUserPayload")
  .implement({
    fields: (t) => ({
      user: t.expose("user", { type: User }),
      apiKey: t.exposeString("apiKey", { description: "Shown once." }),
    }),
  });

const DeleteUserInput = builder.inputType("DeleteUserInput", {
  fields: (t) => ({ name: t.string({ required: true }) }),
});

const CreateApiKeyInput = builder.inputType("CreateApiKeyInput", {
  fields: (t) => ({ name: t.string({ required: true }), username: t.string() }),
});

const CreateApiKeyPayload = builder
  .objectRef<{ readonly record: ApiKeyRecord; readonly key: string }>("CreateApiKeyPayload")
  .implement({
    fields: (t) => ({
      apiKey: t.expose("record", { type: ApiKey }),
      key: t.exposeString("key", { description: "Shown once." }),
    }),
  });

const DeleteApiKeyInput = builder.inputType("DeleteApiKeyInput", {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

builder.mutationFields((t) => ({
  createUser: t.field({
    type: CreateUserPayload,
    args: { input: t.arg({ type: CreateUserInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.accounts.createUser(viewer, {
        name: input.name,
        email: input.email ?? null,
        admin: input.admin ?? null,
        apiKey: input.apiKey ?? null,
      }),
  }),
  deleteUser: t.field({
    type: SuccessPayload,
    args: { input: t.arg({ type: DeleteUserInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.accounts.deleteUser(viewer, input.name);
      return { success: true };
    },
  }),
  createApiKey: t.field({
    type: CreateApiKeyPayload,
    args: { input: t.arg({ type: CreateApiKeyInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.accounts.createApiKey(viewer, { description: input.name, username: input.username ?? null }),
  }),
  deleteApiKey: t.field({
    type: SuccessPayload,
    args: { input: t.arg({ type: DeleteApiKeyInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      await services.accounts.deleteApiKey(viewer, requireKey("ApiKey", input.id, "id"));
      return { success: true };
    },
  }),
}));
