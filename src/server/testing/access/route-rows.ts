import { globalId } from "../../graphql/ids.ts";
import { type AccessWorld, DIGEST, MD5, type Person, type Things } from "./access-world.ts";

export interface RouteRow {
  readonly least: Person | "anyone" | "nobody asks";
  readonly path?: (things: Things) => string;
  /** The same of the job's own run. */
  readonly own?: (things: Things) => string;
  readonly init?: RequestInit;
}

/** Routes of HTTP: each answers the status for a key. */
export function routeRows(world: AccessWorld): Readonly<Record<string, RouteRow>> {
  return {
    "POST /graphql": {
      least: "anyone",
      path: () => "/graphql",
      init: { method: "POST", body: '{"query":"{ __typename }"}' },
    },
    "GET /events": {
      least: "viewer",
      path: ({ queue }) => `/events?queue=${encodeURIComponent(globalId("RunQueue", queue.id))}`,
    },
    "PUT /code/:entity/:digest": {
      least: "member",
      path: () => `/code/team/${DIGEST}`,
      init: { method: "PUT", body: "code" },
    },
    "GET /code/:entity/:digest": { least: "viewer", path: () => `/code/team/${DIGEST}` },
    "POST /files/:entity/:project/:run/file_stream": {
      least: "member",
      path: ({ run }) => `/files/team/digits/${run.name}/file_stream`,
      own: ({ own }) => `/files/team/digits/${own.name}/file_stream`,
      init: { method: "POST", body: "{}" },
    },
    // failure-files.test.ts shows the file to those who see the item.
    "GET /items/:item/files/:name{.+}": { least: "nobody asks", path: ({ waiting }) => `/items/${waiting.id}/files/a` },
    // The address is the credential.
    "GET /transfers/:path{.+}": { least: "nobody asks", path: ({ run }) => `/transfers/runs/${run.id}/files/a` },
    "PUT /transfers/:path{.+}": {
      least: "nobody asks",
      path: ({ run }) => `/transfers/runs/${run.id}/files/a`,
      init: { method: "PUT", body: "a" },
    },
    // The address is the credential.
    "PUT /artifact-content/:token": {
      least: "nobody asks",
      path: () => "/artifact-content/token",
      init: { method: "PUT", body: "a" },
    },
    "GET /artifactsV2/:region/:entity/:artifact/:md5": {
      least: "viewer",
      path: () => `/artifactsV2/gcp-us/team/${encodeURIComponent(world.whole.artifact)}/${MD5.toString("hex")}`,
    },
    "GET /artifactsV2/:region/:entity/:artifact/:md5/:name{.+}": {
      least: "viewer",
      path: () => `/artifactsV2/gcp-us/team/${encodeURIComponent(world.whole.artifact)}/${MD5.toString("hex")}/a.txt`,
    },
    "GET /healthz": { least: "anyone", path: () => "/healthz" },
    "GET /readyz": { least: "anyone", path: () => "/readyz" },
  };
}
