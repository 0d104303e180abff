import type { JsonObject } from "../../core/json.ts";
import { summarizeJob } from "./describe.ts";
import type { JobStore, TrainingJob } from "./job-store.ts";
import { invalid } from "./rules.ts";

const DEFAULT_PAGE = 10;

/** ListTrainingJobs with all its filters. `input` has been read by its shape. Times come in seconds. */
export function listJobs(jobs: JobStore, input: JsonObject): object {
  const text = (name: string) => input[name] as string | undefined;
  const milliseconds = (name: string) => (input[name] === undefined ? undefined : (input[name] as number) * 1000);
  const sortBy = (text("SortBy") ?? "CreationTime") as "Name" | "CreationTime" | "Status";
  const limit = (input.MaxResults as number | undefined) ?? DEFAULT_PAGE;
  // No job here keeps its instance after its end or belongs to a training plan.
  if (input.WarmPoolStatusEquals !== undefined || input.TrainingPlanArnEquals !== undefined)
    return { TrainingJobSummaries: [] };
  const token = text("NextToken");
  const found = jobs.list({
    ...optional("nameContains", text("NameContains")),
    ...optional("status", text("StatusEquals")),
    ...optional("createdAfter", milliseconds("CreationTimeAfter")),
    ...optional("createdBefore", milliseconds("CreationTimeBefore")),
    ...optional("modifiedAfter", milliseconds("LastModifiedTimeAfter")),
    ...optional("modifiedBefore", milliseconds("LastModifiedTimeBefore")),
    ...optional("after", token === undefined ? undefined : parseToken(token, sortBy)),
    sortBy,
    descending: text("SortOrder") === "Descending",
    limit: limit + 1,
  });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    TrainingJobSummaries: page.map(summarizeJob),
    ...(found.length > limit && last !== undefined ? { NextToken: makeToken(last, sortBy) } : {}),
  };
}

function makeToken(job: TrainingJob, sortBy: string): string {
  const key = sortBy === "Name" ? job.name : sortBy === "Status" ? job.status : job.createdAt;
  return Buffer.from(JSON.stringify([sortBy, key, job.name])).toString("base64url");
}

function parseToken(token: string, sortBy: string): { key: string | number; name: string } {
  try {
    const [by, key, name] = JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as [
      string,
      string | number,
      string,
    ];
    if (by === sortBy && typeof name === "string" && (typeof key === "string" || typeof key === "number"))
      return { key, name };
  } catch {
    // Falls through to the refusal.
  }
  throw invalid("Invalid NextToken.");
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [key in Name]?: Value };
}
