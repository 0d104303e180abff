import type { z } from "zod";
import { type Problem, SlipwayError } from "../errors/slipway-error.ts";
import { type EcrRepository, ecrRepository, parseEcrRepository } from "../image-repository.ts";
import type { JsonObject } from "../json.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { readYaml, type YamlDocument } from "../yaml-document.ts";
import { LAUNCH_CONFIG_KEYS, launchConfigSchema, sectionKeys } from "./launch-config-schema.ts";

export type BuilderType = "layer" | "docker" | "kaniko" | "noop";

/** What an agent does with code that has no image yet. */
export interface BuilderConfig {
  readonly type: BuilderType;
  /** A base image, or `host` (an image of the code alone, which only a local runtime can run). */
  readonly base?: string;
  readonly platform?: "linux/amd64" | "linux/arm64";
  /** The Python version in the base image, `3.11`, where the image itself does not tell. */
  readonly python?: string;
  /** Of the steps of a Dockerfile; absent: the engine's default. */
  readonly network?: "host" | "none";
  /** Where the secrets of a build come from, by name. */
  readonly secrets?: Readonly<Record<string, { readonly env: string } | { readonly file: string }>>;
  /** Where built images go, if not to `registry`. */
  readonly destination?: EcrRepository;
  readonly kaniko?: JsonObject;
}

/** `launch-config.yaml`, read and checked. Everything the file leaves out has its default. */
export interface LaunchConfig {
  readonly queues: readonly string[];
  readonly entity?: string;
  readonly project?: string;
  /** Jobs at once; Infinity where the file says -1. */
  readonly maxJobs: number;
  /** Sweep schedulers at once; Infinity where the file says -1. */
  readonly maxSchedulers: number;
  readonly secureMode: boolean;
  readonly environment: { readonly type: "aws"; readonly region?: string; readonly profile?: string };
  readonly registry?: EcrRepository;
  readonly builder: BuilderConfig;
  readonly verbosity: number;
  /** Seconds between a stop request and StopTrainingJob. */
  readonly stoppedRunTimeout: number;
  readonly baseUrl?: string;
  /** The file as it was written, for createLaunchAgent's agentConfig. */
  readonly raw: JsonObject;
}

/**
 * Reads a `launch-config.yaml`. All keys of the wandb agent's file are taken; a key that neither it nor Slipway knows is an error.
 * `fileName` is only for messages. Throws LAUNCH_CONFIG_INVALID with every problem at once, each with its line and column.
 */
export function parseLaunchConfig(text: string, fileName: string): LaunchConfig {
  const document = readYaml(text);
  if (document.problems.length > 0) throw invalid(fileName, document.problems);
  const raw = withoutNulls(document.value ?? {});
  const problems: Problem[] = [];
  const placeholders = findPlaceholders(raw, [], document);
  problems.push(...placeholders);
  const parsed = launchConfigSchema.safeParse(raw);
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap((issue) => problemsOf(issue, document, raw)));
  if (!parsed.success || problems.length > 0) throw invalid(fileName, withoutRepeats(problems));

  const file = parsed.data;
  const registry = readRegistry(file.registry, file.environment?.region, document, problems);
  const destination = readRepository(file.builder?.destination, ["builder", "destination"], document, problems);
  const builder = file.builder;
  const kaniko = Object.fromEntries(
    Object.entries(builder ?? {}).filter(
      ([key]) => !["type", "base", "platform", "python", "destination", "network", "secrets"].includes(key),
    ),
  ) as JsonObject;
  if (problems.length > 0) throw invalid(fileName, problems);
  const environment = file.environment;
  return {
    queues: [...new Set([...file.queues, ...(typeof file.queue === "string" ? [file.queue] : (file.queue ?? []))])],
    ...(file.entity === undefined ? {} : { entity: file.entity }),
    ...(file.project === undefined ? {} : { project: file.project }),
    maxJobs: file.max_jobs === -1 ? Number.POSITIVE_INFINITY : file.max_jobs,
    maxSchedulers: file.max_schedulers === -1 ? Number.POSITIVE_INFINITY : file.max_schedulers,
    secureMode: file.secure_mode,
    environment: {
      type: "aws",
      ...(environment?.region === undefined ? {} : { region: environment.region }),
      ...(environment?.profile === undefined ? {} : { profile: environment.profile }),
    },
    ...(registry === undefined ? {} : { registry }),
    builder: {
      type: builder?.type ?? "layer",
      ...(builder?.base === undefined ? {} : { base: builder.base }),
      ...(builder?.platform === undefined ? {} : { platform: builder.platform }),
      ...(builder?.python === undefined ? {} : { python: builder.python }),
      ...(destination === undefined ? {} : { destination }),
      ...(builder?.network === undefined || builder.network === "default" ? {} : { network: builder.network }),
      ...(builder?.secrets === undefined ? {} : { secrets: builder.secrets }),
      ...(Object.keys(kaniko).length === 0 ? {} : { kaniko }),
    },
    verbosity: file.verbosity,
    stoppedRunTimeout: file.stopped_run_timeout,
    ...(file.base_url === undefined ? {} : { baseUrl: file.base_url }),
    raw: raw as JsonObject,
  };
}

function readRegistry(
  registry: z.infer<typeof launchConfigSchema>["registry"],
  environmentRegion: string | undefined,
  document: YamlDocument,
  problems: Problem[],
): EcrRepository | undefined {
  if (registry === undefined) return undefined;
  if (registry.uri !== undefined) return readRepository(registry.uri, ["registry", "uri"], document, problems);
  const repository = registry.repo_name ?? registry.repository;
  const region = registry.region ?? environmentRegion;
  if (registry.account_id === undefined && repository === undefined) return undefined;
  const missing = [
    registry.account_id === undefined ? "account_id" : undefined,
    region === undefined ? "region" : undefined,
    repository === undefined ? "repo_name" : undefined,
  ].filter((key) => key !== undefined);
  if (registry.account_id === undefined || region === undefined || repository === undefined) {
    problems.push({
      path: "registry",
      message: `registry lacks ${missing.join(" and ")}`,
      hint: "Give registry.uri, or account_id, region and repo_name together.",
      ...document.positionOf([], "registry"),
    });
    return undefined;
  }
  return accept(
    ecrRepository({ accountId: String(registry.account_id), region, repository }),
    ["registry"],
    document,
    problems,
  );
}

function readRepository(
  uri: string | undefined,
  path: string[],
  document: YamlDocument,
  problems: Problem[],
): EcrRepository | undefined {
  return uri === undefined ? undefined : accept(parseEcrRepository(uri), path, document, problems);
}

function accept(
  found: ReturnType<typeof parseEcrRepository>,
  path: string[],
  document: YamlDocument,
  problems: Problem[],
): EcrRepository | undefined {
  if (!("problem" in found)) return found;
  const hint = found.hint === undefined ? {} : { hint: found.hint };
  problems.push({ path: path.join("."), message: found.problem, ...hint, ...document.positionOf(path) });
  return undefined;
}

/** What an agent has that starts without a file. */
export const DEFAULT_LAUNCH_CONFIG: LaunchConfig = parseLaunchConfig("", "launch-config.yaml");

type Issue = z.core.$ZodIssue;

function problemsOf(issue: Issue, document: YamlDocument, raw: unknown): Problem[] {
  const path = issue.path.map(String);
  const name = path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = sectionKeys(path);
    return issue.keys.map((key) => ({
      path: [...path, key].join("."),
      message: path.length === 0 ? `There is no key ${key}` : `${name} has no key ${key}`,
      ...elsewhere(key, known),
      ...document.positionOf(path, key),
    }));
  }
  const place = document.positionOf(path);
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const given = valueAt(raw, issue.path);
    return [
      {
        path: name,
        message: `${name} cannot be ${JSON.stringify(given)}; it is ${values.length === 1 ? "always" : "one of"} ${values.join(", ")}`,
        ...didYouMean(String(given), values),
        ...place,
      },
    ];
  }
  if (issue.code === "invalid_union" && issue.path.length > 0)
    return [{ path: name, message: `${name} has the wrong type`, ...place }];
  return [{ path: name, message: name === "" ? issue.message : `${name} ${issue.message}`, ...place }];
}

/** The nearest key of the section, else of the whole file, with where it belongs. */
function elsewhere(key: string, known: readonly string[]): { hint: string } {
  const here = nearest(key, known);
  if (here !== undefined) return { hint: `Did you mean ${here}?` };
  const there = LAUNCH_CONFIG_KEYS.find((full) => full.split(".").at(-1) === key);
  if (there !== undefined)
    return { hint: `It belongs in ${there.split(".").slice(0, -1).join(".") || "the top level"}.` };
  return { hint: `The keys are ${known.join(", ")}.` };
}

function findPlaceholders(value: unknown, path: PropertyKey[], document: YamlDocument): Problem[] {
  if (typeof value === "string") {
    const found = /<[^<>]*>/.exec(value);
    if (found === null) return [];
    const name = path.map(String).join(".");
    return [
      {
        path: name,
        message: `${name} still has the placeholder ${found[0]}`,
        hint: "Replace it by your own value.",
        ...document.positionOf(path),
      },
    ];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => findPlaceholders(item, [...path, index], document));
  if (value !== null && typeof value === "object")
    return Object.entries(value).flatMap(([key, item]) => findPlaceholders(item, [...path, key], document));
  return [];
}

/** A placeholder would be reported a second time as a value of the wrong form. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => !seen.has(problem.path) && seen.add(problem.path));
}

/** `key:` with nothing after it means that the key was left out, as it does to the wandb agent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], value);
}

function invalid(fileName: string, problems: readonly Problem[]): SlipwayError {
  const sorted = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  const first = sorted[0];
  return new SlipwayError("LAUNCH_CONFIG_INVALID", {
    values: { file: fileName, count: sorted.length },
    where: first?.line === undefined ? fileName : `${fileName}:${first.line}:${first.column ?? 1}`,
    problems: sorted,
  });
}
