import { shortHash } from "../sha256.ts";

/** SageMaker's limit and rule for a training job's name (botocore, shape TrainingJobName). */
export const TRAINING_JOB_NAME_MAX = 63;
const RULE = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
/** Endings that we give ourselves: an attempt, or the hash of a mapped name. A name that already looks so is mapped too. */
const OUR_ENDING = /(-a\d+|-x[a-z2-9]{12})$/;

/**
 * The name of an item's training job: the run id for attempt 1, `RUN_ID-aN` for attempt N. A name that SageMaker would refuse
 * (`_`, too long, ...) or that could be taken for another item's attempt is mapped: what is allowed of it, then `-x` and 60 bits of
 * its hash. Different run ids and attempts of a queue therefore never share a name.
 *
 * `template` is the queue's own TrainingJobName, with every macro but `${run_id}` filled in already.
 */
export function trainingJobName(runId: string, attempt: number, template = "${run_id}"): string {
  const full = template.replaceAll("${run_id}", () => runId);
  const ending = attempt > 1 ? `-a${attempt}` : "";
  if (RULE.test(full) && !OUR_ENDING.test(full) && full.length + ending.length <= TRAINING_JOB_NAME_MAX)
    return full + ending;
  const hash = `-x${shortHash(full, 12)}`;
  const room = TRAINING_JOB_NAME_MAX - hash.length - ending.length;
  const kept = full
    .replace(/[^a-zA-Z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, room)
    .replace(/-+$/, "");
  return `${kept || "job"}${hash}${ending}`;
}

/** Whether a queue's own TrainingJobName keeps its items apart: it must contain `${run_id}`. */
export function templateKeepsItemsApart(template: string): boolean {
  return template.includes("${run_id}");
}
