import { type GraphQLSchema, printSchema } from "graphql";
import { builder } from "./builder.ts";
import "./scalars.ts";
import "./types/artifact.ts";
import "./types/artifact-changes.ts";
import "./types/artifact-collection.ts";
import "./types/artifact-collection-changes.ts";
import "./types/artifact-lookup.ts";
import "./types/artifact-uploads.ts";
import "./types/entity.ts";
import "./types/item-control.ts";
import "./types/item-lease.ts";
import "./types/item-logs.ts";
import "./types/item-queue.ts";
import "./types/launch-agent.ts";
import "./types/project.ts";
import "./types/resource-config.ts";
import "./types/run-queue-item.ts";
import "./types/run-queue.ts";
import "./types/run.ts";
import "./types/run-file.ts";
import "./types/run-control.ts";
import "./types/run-history.ts";
import "./types/server-info.ts";
import "./types/sweep.ts";
import "./types/user.ts";

/** The API's executable schema. */
export const schema: GraphQLSchema = builder.toSchema();

/** What `schema.graphql` holds. */
export const schemaText = `${printSchema(schema)}\n`;
