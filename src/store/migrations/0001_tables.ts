import type { Migration } from "../migrate.ts";

export const migration: Migration = {
  id: 1,
  name: "tables",
  breaking: true,
  statements: [
    `CREATE TABLE entities (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_team BIGINT NOT NULL, created_at BIGINT NOT NULL)`,
    `CREATE TABLE users (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT, admin BIGINT NOT NULL,
      entity_id TEXT NOT NULL UNIQUE REFERENCES entities (id), created_at BIGINT NOT NULL, deleted_at BIGINT)`,
    `CREATE INDEX users_name ON users (name)`,
    `CREATE TABLE memberships (
      entity_id TEXT NOT NULL REFERENCES entities (id), user_id TEXT NOT NULL REFERENCES users (id), role TEXT NOT NULL,
      PRIMARY KEY (entity_id, user_id))`,
    `CREATE INDEX memberships_user ON memberships (user_id)`,
    `CREATE TABLE api_keys (
      id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id), hash TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
      description TEXT, created_at BIGINT NOT NULL, last_used_at BIGINT,
      item_id TEXT, run_entity_id TEXT, run_project TEXT, run_name TEXT)`,
    `CREATE INDEX api_keys_user ON api_keys (user_id)`,
    `CREATE INDEX api_keys_item ON api_keys (item_id)`,
    `CREATE TABLE projects (
      internal_id SERIAL, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, entity_id TEXT NOT NULL REFERENCES entities (id),
      description TEXT, access TEXT NOT NULL, created_at BIGINT NOT NULL, UNIQUE (entity_id, name))`,
    `CREATE TABLE default_resource_configs (
      id TEXT PRIMARY KEY, entity_id TEXT NOT NULL REFERENCES entities (id), resource TEXT NOT NULL, config TEXT NOT NULL,
      template_variables TEXT NOT NULL, created_at BIGINT NOT NULL)`,
    `CREATE TABLE queues (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, entity_id TEXT NOT NULL REFERENCES entities (id), access TEXT NOT NULL,
      prioritization_mode TEXT NOT NULL, resource TEXT NOT NULL, config TEXT NOT NULL, config_text TEXT,
      template_variables TEXT NOT NULL, external_links TEXT, default_resource_config_id TEXT, version BIGINT NOT NULL,
      served BIGINT NOT NULL, created_by TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, deleted_at BIGINT)`,
    `CREATE UNIQUE INDEX queues_name ON queues (entity_id, name) WHERE deleted_at IS NULL`,
    `CREATE TABLE queue_versions (
      queue_id TEXT NOT NULL REFERENCES queues (id), version BIGINT NOT NULL, resource TEXT NOT NULL, config TEXT NOT NULL,
      config_text TEXT, template_variables TEXT NOT NULL, created_by TEXT, created_at BIGINT NOT NULL,
      PRIMARY KEY (queue_id, version))`,
    `CREATE TABLE items (
      id TEXT PRIMARY KEY, queue_id TEXT NOT NULL REFERENCES queues (id), queue_name TEXT NOT NULL, queue_entity_id TEXT NOT NULL,
      queue_entity_name TEXT NOT NULL, entity_id TEXT NOT NULL, entity_name TEXT NOT NULL, project_id TEXT NOT NULL,
      project_name TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT, author TEXT, author_user_id TEXT,
      state TEXT NOT NULL, phase TEXT NOT NULL, phase_since BIGINT NOT NULL, priority BIGINT NOT NULL, attempt BIGINT NOT NULL,
      fencing_token BIGINT NOT NULL, plain BIGINT NOT NULL, agent_id TEXT, lease_expires_at BIGINT, not_before BIGINT NOT NULL,
      waiting_reason TEXT, cause TEXT, message TEXT, run_spec TEXT NOT NULL, stop_requested_at BIGINT, stop_requested_by TEXT,
      training TEXT, error TEXT, warnings TEXT NOT NULL, associated_run_id TEXT, log_lines BIGINT NOT NULL,
      refused_acks BIGINT NOT NULL, created_at BIGINT NOT NULL, leased_at BIGINT, claimed_at BIGINT, settled_at BIGINT,
      retry_of TEXT, retried_as TEXT)`,
    `CREATE INDEX items_claim ON items (queue_id, priority, id) WHERE state = 'PENDING'`,
    `CREATE INDEX items_held ON items (state, lease_expires_at) WHERE state IN ('LEASED', 'CLAIMED')`,
    `CREATE INDEX items_agent ON items (agent_id) WHERE state IN ('LEASED', 'CLAIMED')`,
    `CREATE INDEX items_queue ON items (queue_id, state, id)`,
    `CREATE INDEX items_entity ON items (entity_id, id)`,
    `CREATE INDEX items_run ON items (run_id)`,
    `CREATE TABLE timeline (
      seq SERIAL, item_id TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, at BIGINT NOT NULL, attempt BIGINT NOT NULL,
      kind TEXT NOT NULL, state TEXT, phase TEXT, actor TEXT, message TEXT, detail TEXT)`,
    `CREATE INDEX timeline_item ON timeline (item_id, seq)`,
    `CREATE TABLE agents (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, entity_id TEXT NOT NULL REFERENCES entities (id), hostname TEXT, version TEXT,
      status TEXT NOT NULL, stop_polling BIGINT NOT NULL, silent BIGINT NOT NULL, heartbeat_at BIGINT NOT NULL,
      created_at BIGINT NOT NULL, created_by TEXT, agent_config TEXT)`,
    `CREATE INDEX agents_entity ON agents (entity_id, id)`,
    `CREATE TABLE agent_queues (
      agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE, queue_id TEXT NOT NULL REFERENCES queues (id),
      PRIMARY KEY (agent_id, queue_id))`,
    `CREATE INDEX agent_queues_queue ON agent_queues (queue_id)`,
    `CREATE TABLE runs (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, project_id TEXT NOT NULL REFERENCES projects (id), display_name TEXT, description TEXT,
      notes TEXT, config TEXT NOT NULL, summary_metrics TEXT NOT NULL, state TEXT NOT NULL, stopped BIGINT NOT NULL, tags TEXT NOT NULL,
      group_name TEXT, job_type TEXT, "commit" TEXT, host TEXT, program TEXT, repo TEXT, sweep_name TEXT, exit_code BIGINT,
      created_at BIGINT NOT NULL, heartbeat_at BIGINT, user_id TEXT, item_id TEXT, UNIQUE (project_id, name))`,
    `CREATE INDEX runs_item ON runs (item_id)`,
    `CREATE TABLE events (
      seq SERIAL, at BIGINT NOT NULL, entity_id TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, queue_id TEXT,
      data TEXT NOT NULL)`,
    `CREATE INDEX events_at ON events (at)`,
    `CREATE TABLE log_cursors (
      item_id TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, attempt BIGINT NOT NULL, node TEXT NOT NULL,
      stream TEXT NOT NULL, cursor TEXT NOT NULL, PRIMARY KEY (item_id, attempt, node, stream))`,
    `CREATE TABLE log_chunks (
      id SERIAL, item_id TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, attempt BIGINT NOT NULL, node TEXT NOT NULL,
      first_index BIGINT NOT NULL, line_count BIGINT NOT NULL, file TEXT NOT NULL, byte_offset BIGINT NOT NULL,
      byte_length BIGINT NOT NULL)`,
    `CREATE UNIQUE INDEX log_chunks_item ON log_chunks (item_id, first_index)`,
    `CREATE TABLE code_archives (
      entity_id TEXT NOT NULL REFERENCES entities (id), digest TEXT NOT NULL, size BIGINT NOT NULL, created_at BIGINT NOT NULL,
      PRIMARY KEY (entity_id, digest))`,
  ],
};
