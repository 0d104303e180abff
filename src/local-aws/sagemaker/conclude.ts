import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { AwsError } from "../service.ts";
import { hasContent, uploadArtifacts } from "./artifacts.ts";
import { DataError } from "./channel-objects.ts";
import type { Place } from "./container-spec.ts";
import type { TrainingJob } from "./job-store.ts";
import { ML_PATHS } from "./ml-directory.ts";
import { joinKey, keyArn, parseS3Uri } from "./request.ts";
import { STATUS_MESSAGES } from "./status-messages.ts";
import type { RunControl, TrainingDeps } from "./training-deps.ts";

/** Uploads what the job has made and writes its end. */
export async function conclude(
  deps: TrainingDeps,
  job: TrainingJob,
  places: readonly Place[],
  control: RunControl,
): Promise<void> {
  const { jobs, objects } = deps;
  const { bucket, key } = parseS3Uri(job.request.OutputDataConfig.S3OutputPath)!;
  const target = {
    bucket,
    prefix: joinKey(key, `${job.name}/output`),
    compress: job.request.OutputDataConfig.CompressionType !== "NONE",
  };
  checkOutputKey(deps, job);
  const failed = Object.entries(job.run.exits!).find(([, code]) => code !== 0);
  const stopped = job.run.stop !== undefined;
  if (!(failed !== undefined && !stopped)) {
    jobs.update(job.name, {}, { status: "Uploading", message: STATUS_MESSAGES.uploading });
    const models = places.map((place) => join(place.mlDir, ML_PATHS.model));
    const modelArtifacts = await uploadArtifacts(objects, models, { ...target, name: "model" });
    jobs.update(job.name, { modelArtifacts });
  }
  const outputs = places.map((place) => join(place.mlDir, ML_PATHS.outputData));
  if ((await Promise.all(outputs.map(hasContent))).some((some) => some)) {
    await uploadArtifacts(objects, outputs, { ...target, name: target.compress ? "output" : "data" });
  }
  control.abandon.throwIfAborted();
  if (stopped) finishStopped(deps, job.name, control);
  else if (failed === undefined) finish(deps, job.name, control, "Completed", STATUS_MESSAGES.completed);
  else {
    const first = places.find((place) => place.host.name === failed[0])!;
    const text = await readFailure([first, ...places].map((place) => join(place.mlDir, ML_PATHS.failure)));
    finish(
      deps,
      job.name,
      control,
      "Failed",
      STATUS_MESSAGES.failed,
      `AlgorithmError: ${text}, exit code: ${failed[1]}`,
    );
  }
}

/** S3 encrypts the output with the key that the request names, in the role's name. */
function checkOutputKey({ roles }: TrainingDeps, { arn, request }: TrainingJob): void {
  const id = request.OutputDataConfig.KmsKeyId;
  if (id === undefined || id === "") return;
  const [, , , region = "", accountId = ""] = arn.split(":");
  const denied = roles.access(request.RoleArn).denial({
    action: "kms:GenerateDataKey",
    resource: keyArn(id, region, accountId),
    context: { "kms:ViaService": `s3.${region}.amazonaws.com`, "kms:CallerAccount": accountId },
  });
  if (denied !== undefined) throw new AwsError("AccessDenied", denied, 403);
}

export function finishStopped(deps: TrainingDeps, name: string, control: RunControl): void {
  const cause = deps.jobs.get(name)!.run.stop!.cause;
  if (cause === "stopped") finish(deps, name, control, "Stopped", STATUS_MESSAGES.stopped);
  else if (cause === "maxRuntime") finish(deps, name, control, "MaxRuntimeExceeded", STATUS_MESSAGES.maxRuntime);
  else finish(deps, name, control, "MaxWaitTimeExceeded", STATUS_MESSAGES.maxWait);
}

export function finish(
  deps: TrainingDeps,
  name: string,
  control: RunControl,
  secondary: "Completed" | "Failed" | "Stopped" | "MaxRuntimeExceeded" | "MaxWaitTimeExceeded",
  message: string,
  reason?: string,
): void {
  const { jobs, clock, logger } = deps;
  const job = jobs.get(name)!;
  const finals = control.metrics?.finals() ?? [];
  const status = secondary === "Completed" || secondary === "Failed" ? secondary : "Stopped";
  jobs.update(
    name,
    {
      status,
      ...(job.trainingStart === undefined ? {} : { trainingEnd: clock.now() }),
      ...(finals.length === 0 ? {} : { metrics: finals }),
      ...(reason === undefined ? {} : { failureReason: reason.slice(0, 1024) }),
    },
    { status: secondary, message },
  );
  logger.info({ job: name, status, secondary, ...(reason === undefined ? {} : { reason }) }, "training job ended");
}

/** The first 1024 characters of the first failure file. Not through a link: the training code could point it anywhere. */
async function readFailure(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      () => undefined,
    );
    if (file === undefined) continue;
    try {
      const buffer = Buffer.alloc(8192);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      const text = buffer.toString("utf8", 0, bytesRead).trim();
      if (text !== "") return text.slice(0, 1024);
    } catch {
      // A directory of that name.
    } finally {
      await file.close();
    }
  }
  return "";
}

export function failureReason(error: unknown): string {
  if (error instanceof DataError) return `ClientError: Data download failed:${error.message}`;
  if (error instanceof AwsError)
    return `ClientError: Artifact upload failed:${error.code} (${error.status}): ${error.message}`;
  if (error instanceof SlipwayError) return `ClientError: ${error.message}. ${error.hint}`;
  return "InternalServerError: We encountered an internal error. Please try again.";
}
