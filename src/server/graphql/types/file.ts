import type { Page } from "../../services/page.ts";
import { builder } from "../builder.ts";
import type { GraphqlContext } from "../context.ts";
import { PageInfo } from "./page-info.ts";

/** A file of a run or of an artifact, as the API shows both. */
export interface FileView {
  readonly id: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** base64. */
  readonly md5: string | null;
  readonly mimetype: string;
  /** Milliseconds. */
  readonly updatedAt: number | null;
  /** Null for files that are told by their names alone. */
  readonly storagePath: string | null;
  downloadUrl(context: GraphqlContext): Promise<string>;
  /** Where to send it anew; null where it can't change. */
  uploadUrl(context: GraphqlContext): Promise<string | null>;
}

export type FilePage = Page<FileView> & { readonly total: number | null };

const File = builder.objectRef<FileView>("File").implement({
  description: "A file of a run or of an artifact that has arrived.",
  fields: (t) => ({
    id: t.exposeID("id"),
    name: t.exposeString("name"),
    displayName: t.exposeString("name"),
    url: t.string({
      nullable: true,
      description:
        "Where to fetch it, or (upload) where to send it anew, null if it can't change; carries its own, short-lived credential.",
      args: { upload: t.arg.boolean() },
      resolve: (file, { upload }, context) => (upload ? file.uploadUrl(context) : file.downloadUrl(context)),
    }),
    directUrl: t.string({
      description: "Where to fetch it; carries its own, short-lived credential.",
      resolve: (file, _args, context) => file.downloadUrl(context),
    }),
    sizeBytes: t.expose("size", { type: "Int64" }),
    mimetype: t.exposeString("mimetype", { description: "By its name." }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", nullable: true }),
    md5: t.exposeString("md5", {
      nullable: true,
      description: "base64; null for a file that was stored in parts.",
    }),
    digest: t.exposeString("md5", { nullable: true, description: "The same as md5." }),
    storagePath: t.exposeString("storagePath", {
      nullable: true,
      description: "For a file of an artifact, its MD5 as hexadecimal; null for one of a run.",
    }),
  }),
});

const FileEdge = builder.objectRef<FileView>("FileEdge").implement({
  fields: (t) => ({ node: t.field({ type: File, resolve: (file) => file }), cursor: t.exposeString("name") }),
});

export const FileConnection = builder.objectRef<FilePage>("FileConnection").implement({
  fields: (t) => ({
    edges: t.field({ type: [FileEdge], resolve: (page) => page.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
    totalCount: t.exposeInt("total", { nullable: true, description: "Null for the files of a run." }),
  }),
});
