import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { ApiKeyRecord, UserRecord } from "../../../store/records.ts";
import type { Principal } from "../../services/principal.ts";
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
      nullable: true,
      description: "Null for another user, unless an admin asks.",
      resolve: (user, _args, { services, viewer }) =>
        mayKnow(viewer, user) ? services.accounts.apiKeys(viewer, user.id) : null,
    }),
    teams: t.field({
      type: EntityConnection,
      nullable: true,
      description: "Null for another user, unless an admin asks.",
      resolve: (user, _args, { services, viewer }) =>
        mayKnow(viewer, user) ? services.accounts.teams(viewer, user.id) : null,
    }),
  }),
});

/** The client asks for a user's keys and teams wherever a user is named, as beside each project. */
const mayKnow = (viewer: Principal, user: UserRecord) =>
  viewer.run === null && (viewer.admin || viewer.userId === user.id);

const UserEdge = builder.objectRef<UserRecord>("UserEdge").implement({
  fields: (t) => ({ node: t.field({ type: User, resolve: (user) => user }) }),
});

const UserConnection = builder.objectRef<readonly UserRecord[]>("UserConnection").implement({
  fields: (t) => ({ edges: t.field({ type: [UserEdge], resolve: (users) => users }) }),
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
    type: UserConnection,
    nullable: true,
    description: "Users whose name or email address contains the text, all without one. Admins only.",
    args: { query: t.arg.string() },
    resolve: (_root, { query }, { services, viewer }) => services.teams.searchUsers(viewer, query ?? null),
  }),
}));

const CreateUserInput = builder.inputType("CreateUserInput", {
  fields: (t) => ({
    name: t.string({ description: "Made from the email address if absent." }),
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
  fields: (t) => ({
    name: t.string({ required: true, description: "What it is for." }),
    username: t.string({ description: "Whose it is; the caller's if absent." }),
    apiKey: t.string({ description: "Any key the wandb client accepts; one is made if absent." }),
  }),
});

const GenerateApiKeyInput = builder.inputType("GenerateApiKeyInput", {
  fields: (t) => ({ description: t.string() }),
});

const GenerateApiKeyPayload = builder.objectRef<{ readonly apiKey: ApiKeyRecord }>("GenerateApiKeyPayload").implement({
  fields: (t) => ({
    apiKey: t.expose("apiKey", { type: ApiKey, description: "Its name is the key itself, shown this once." }),
  }),
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
  // Not ID: the client's document has a String! there.
  fields: (t) => ({ id: t.string({ required: true }) }),
});

function nameOfEmail(email: string | null): string {
  const name = email
    ?.split("@")[0]
    ?.replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "");
  if (name) return name;
  throw new SlipwayError("INPUT_INVALID", {
    values: { problem: "A user needs a name or an email address" },
    where: "name",
  });
}

builder.mutationFields((t) => ({
  createUser: t.field({
    type: CreateUserPayload,
    args: { input: t.arg({ type: CreateUserInput, required: true }) },
    resolve: (_root, { input }, { services, viewer }) =>
      services.accounts.createUser(viewer, {
        name: input.name ?? nameOfEmail(input.email ?? null),
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
      services.accounts.createApiKey(viewer, {
        description: input.name,
        username: input.username ?? null,
        apiKey: input.apiKey ?? null,
      }),
  }),
  generateApiKey: t.field({
    type: GenerateApiKeyPayload,
    nullable: true,
    description: "The client's word for making a key of one's own.",
    args: { input: t.arg({ type: GenerateApiKeyInput, required: true }) },
    resolve: async (_root, { input }, { services, viewer }) => {
      const { record, key } = await services.accounts.createApiKey(viewer, { description: input.description ?? "" });
      return { apiKey: { ...record, name: key } };
    },
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
