import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { RunFileRecord } from "../../../store/run-files.ts";
import { mimeType } from "../../mime-types.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { Run, SuccessPayload } from "../refs.ts";
import { FileConnection, type FileView } from "./file.ts";

const viewOf = (file: RunFileRecord): FileView => ({
  id: globalId("RunFile", `${file.runId}:${file.name}`),
  name: file.name,
  size: file.size,
  md5: file.md5,
  mimetype: mimeType(file.name),
  updatedAt: file.updatedAt,
  storagePath: null,
  downloadUrl: ({ runFiles, baseUrl }) => runFiles.downloadUrl(file, baseUrl),
  uploadUrl: ({ runFiles, viewer, baseUrl }) => runFiles.uploadUrl(viewer, file, baseUrl),
});

builder.objectFields(Run, (t) => ({
  fileCount: t.int({ nullable: true, resolve: (run, _args, { runFiles }) => runFiles.count(run) }),
  files: t.field({
    type: FileConnection,
    nullable: true,
    description: "By name. names: these alone; pattern: with % and _ as SQL's LIKE has them.",
    args: {
      names: t.arg({ type: t.arg.listRef("String", { required: false }) }),
      first: t.arg.int(),
      after: t.arg.string(),
      pattern: t.arg.string(),
    },
    resolve: async (run, { names, ...page }, { runFiles }) => {
      const found = await runFiles.list(run, { ...page, names: names?.filter((name) => name != null) ?? null });
      return { ...found, nodes: found.nodes.map(viewOf), total: null };
    },
  }),
}));

const DeleteFilesInput = builder.inputType("DeleteFilesInput", {
  fields: (t) => ({
    files: t.idList({ required: true }),
    projectId: t.int({ description: "The wandb client's word; an id tells its run." }),
    clientMutationId: t.string(),
  }),
});

builder.mutationField("deleteFiles", (t) =>
  t.field({
    type: SuccessPayload,
    nullable: true,
    args: { input: t.arg({ type: DeleteFilesInput, required: true }) },
    resolve: async (_root, { input }, { runFiles, viewer }) => {
      const files = input.files.map((id) => {
        const key = requireKey("RunFile", String(id), "files");
        const colon = key.indexOf(":");
        if (colon < 0) {
          throw new SlipwayError("REQUEST_INVALID", {
            values: { problem: `${id} is not the id of a RunFile` },
            where: "files",
          });
        }
        return { runId: key.slice(0, colon), name: key.slice(colon + 1) };
      });
      for (const file of files) await runFiles.remove(viewer, file);
      return { success: true };
    },
  }),
);
