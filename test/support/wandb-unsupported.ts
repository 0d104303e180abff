/** Operations of the wandb client that this server does not know, and why. A name that the schema has come to know must go from here. */
export const UNSUPPORTED: readonly { readonly reason: string; readonly names: readonly string[] }[] = [
  {
    reason: "Registries and organizations: a server has teams, and no level above them.",
    names: [
      "CreateRegistryMembers",
      "DeleteRegistry",
      "DeleteRegistryMembers",
      "FetchAdvancedRegistryFeatures",
      "FetchOrgEntityFromEntity",
      "FetchOrgEntityFromOrganization",
      "FetchOrgInfoFromEntity",
      "FetchOrganization",
      "FetchRegistries",
      "FetchRegistry",
      "GetOrgAutomations",
      "OrgFeatureFlags",
      "RegistryCollections",
      "RegistryTeamMembers",
      "RegistryUserMembers",
      "RegistryVersions",
      "RenameRegistry",
      "UpdateTeamRegistryRole",
      "UpdateUserRegistryRole",
      "UpsertRegistry",
    ],
  },
  { reason: "Reports: the server keeps none.", names: ["ProjectViews"] },
  {
    reason: "Automations and their integrations: the live events (docs/reference/api.md) are there to build on.",
    names: [
      "CreateAutomation",
      "CreateGenericWebhookIntegration",
      "DeleteAutomation",
      "GetAutomations",
      "GetAutomationsByEntity",
      "GetAutomationsLegacy",
      "GetEntityAutomations",
      "GetEntityAutomationsLegacy",
      "IntegrationsByEntity",
      "SlackIntegrationsByEntity",
      "UpdateAutomation",
      "WebhookIntegrationsByEntity",
    ],
  },
  { reason: "Charts of one's own: the server shows none.", names: ["CreateCustomChart"] },
  { reason: "Anonymous use: every request has a key.", names: ["CreateAnonymousApiKey"] },
  {
    reason:
      "Artifacts: versions that name others which are not logged yet, patched manifests, types without artifacts.",
    names: ["ArtifactFileURLsByManifestEntries", "ClientIDMapping", "CreateArtifactType", "UpdateArtifactManifest"],
  },
  {
    reason:
      "Sweeps: lists by filter, lists of agents, runs put in by hand and a controller of one's own are not in this version.",
    names: ["EnqueueSweepRun", "GetAgentRuns", "GetSweepAgent", "GetSweepAgents", "GetSweeps", "SweepConfig"],
  },
  {
    reason: "Files of runs: the server knows a file when it has arrived, and sends by createRunFiles.",
    names: ["MarkRunFilesUploaded", "RunUploadUrls"],
  },
  {
    reason: "Older ways of asking for a project or a run, which nothing of the tested flows uses.",
    names: ["ProjectDetails", "ProjectRuns", "RunInfo", "UpsertModel"],
  },
];
