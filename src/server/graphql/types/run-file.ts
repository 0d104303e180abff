import { SlipwayError } from "../../../core/errors/slipway-error.ts";
import type { RunFileRecord } from "../../../store/run-files.ts";
import { mimeType } from "../../mime-types.ts";
import type { Page } from "../../services/page.ts";
import { builder } from "../builder.ts";
import { globalId, requireKey } from "../ids.ts";
import { Run, SuccessPayload } from "../refs.ts";
import { PageInfo } from "./page-info.ts";

const File = builder.objectRef<RunFileRecord>("File").implement({
  description: "A file of a run that has arrived.",
  fields: (t) => ({
    id: t.id({ resolve: ({ runId, name }) => globalId("RunFile", `${runId}:${name}`) }),
    name: t.exposeString("name"),
    url: t.string({
      nullable: true,
      description: "Where to fetch it, or (upload) where to send it anew; carries its own, short-lived credential.",
      args: { upload: t.arg.boolean() },
      resolve: async (file, { upload }, { runFiles, viewer, baseUrl }) =>
        upload ? runFiles.uploadUrl(viewer, file, baseUrl) : runFiles.downloadUrl(file, baseUrl),
    }),
    directUrl: t.string({
      description: "Where to fetch it; carries its own, short-lived credential.",
      resolve: (file, _args, { runFiles, baseUrl }) => runFiles.downloadUrl(file, baseUrl),
    }),
    sizeBytes: t.expose("size", { type: "Int64" }),
    mimetype: t.string({ description: "By its name.", resolve: ({ name }) => mimeType(name) }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", nullable: true }),
    md5: t.exposeString("md5", {
      nullable: true,
      description: "base64; null for a file that was stored in parts.",
    }),
  }),
});

const FileEdge = builder.objectRef<RunFileRecord>("FileEdge").implement({
  fields: (t) => ({ node: t.field({ type: File, resolve: (file) => file }), cursor: t.exposeString("name") }),
});

const FileConnection = builder.objectRef<Page<RunFileRecord>>("FileConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [FileEdge], resolve: (page) => page.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
  }),
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
    resolve: (run, { names, ...page }, { runFiles }) =>
      runFiles.list(run, { ...page, names: names?.filter((name) => name != null) ?? null }),
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
