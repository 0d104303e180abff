import type { JsonObject } from "../../core/json.ts";
import type { JobStore } from "./job-store.ts";
import type { Tag } from "./request.ts";
import { checkTags, invalid } from "./rules.ts";

const MAX_TAGS = 50;
const DEFAULT_PAGE = 50;

/** AddTags, ListTags and DeleteTags of training jobs. Inputs have been read by their shapes. */
export function createTagOperations(jobs: JobStore) {
  const existing = (input: JsonObject): string => {
    const arn = input.ResourceArn as string;
    const name = /:training-job\/(.+)$/.exec(arn)?.[1];
    if (name === undefined || jobs.get(name)?.arn !== arn) throw invalid("Requested resource not found.");
    return arn;
  };
  return {
    add(input: JsonObject): object {
      const arn = existing(input);
      const tags = input.Tags as unknown as readonly Tag[];
      checkTags(tags);
      const merged = new Map([...jobs.tags(arn), ...tags].map((tag) => [tag.Key, tag]));
      if (merged.size > MAX_TAGS) throw invalid(`The number of tags exceeds the limit of ${MAX_TAGS}.`);
      jobs.setTags(arn, [...merged.values()]);
      return { Tags: jobs.tags(arn) };
    },
    list(input: JsonObject): object {
      const tags = jobs.tags(existing(input));
      const after =
        input.NextToken === undefined ? "" : Buffer.from(input.NextToken as string, "base64url").toString("utf8");
      const rest = tags.filter((tag) => tag.Key > after);
      const page = rest.slice(0, (input.MaxResults as number | undefined) ?? DEFAULT_PAGE);
      const next = rest.length > page.length ? { NextToken: Buffer.from(page.at(-1)!.Key).toString("base64url") } : {};
      return { Tags: page, ...next };
    },
    remove(input: JsonObject): object {
      const arn = existing(input);
      const keys = new Set(input.TagKeys as readonly string[]);
      jobs.setTags(
        arn,
        jobs.tags(arn).filter((tag) => !keys.has(tag.Key)),
      );
      return {};
    },
  };
}
