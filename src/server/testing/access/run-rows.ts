import { expectRunFiles } from "../../../store/run-files.ts";
import { globalId } from "../../graphql/ids.ts";
import { type AccessTables, type AccessWorld, AT, input } from "./access-world.ts";

/** Projects, runs and their files. */
export function runRows(world: AccessWorld): AccessTables {
  const { runId, ownId, fresh } = world;
  return {
    queries: {
      project: {
        least: "viewer",
        args: () => ({ entityName: "team", name: "digits" }),
        own: () => ({ entityName: "team", name: "digits" }),
      },
      model: {
        least: "viewer",
        args: () => ({ entityName: "team", name: "digits" }),
        own: () => ({ entityName: "team", name: "digits" }),
      },
      models: { least: "viewer", args: () => ({ entityName: "team" }), select: "edges { node { id } }" },
    },
    mutations: {
      createRunFiles: {
        least: "member",
        args: input(({ run }) => ({ ...AT, runName: run.name, files: ["a.txt"] })),
        own: ({ own }) => ({ input: { ...AT, runName: own.name, files: ["a.txt"] } }),
      },
      deleteFiles: {
        least: "member",
        args: input(async ({ run }) => {
          await expectRunFiles(world.database.kysely, run.id, ["a.txt"], 1);
          return { files: [globalId("RunFile", `${run.id}:a.txt`)] };
        }),
      },
      deleteRun: { least: "member", args: input((t) => ({ id: runId(t) })) },
      notifyScriptableRunAlert: {
        least: "member",
        args: input(({ run }) => ({ ...AT, runName: run.name, title: fresh(), text: "t" })),
        own: ({ own }) => ({ input: { ...AT, runName: own.name, title: fresh(), text: "t" } }),
      },
      rewindRun: {
        least: "member",
        args: input(({ run }) => ({ ...AT, runName: run.name, metricName: "_step", metricValue: 0 })),
        own: ({ own }) => ({ input: { ...AT, runName: own.name, metricName: "_step", metricValue: 0 } }),
      },
      stopRun: { least: "member", args: input((t) => ({ id: runId(t) })), own: (t) => ({ input: { id: ownId(t) } }) },
      updateRunState: { least: "member", args: input((t) => ({ id: runId(t), state: "failed" })) },
      upsertBucket: {
        least: "member",
        args: input(() => ({ entityName: "team", modelName: "digits", name: fresh() })),
        own: ({ own }) => ({ input: { entityName: "team", modelName: "digits", name: own.name } }),
      },
      upsertModel: { least: "member", args: input(() => ({ entityName: "team", name: fresh() })) },
    },
  };
}
