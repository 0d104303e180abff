import {
  CreateTrainingJobCommand,
  type CreateTrainingJobRequest,
  DescribeTrainingJobCommand,
  type DescribeTrainingJobResponse,
  type SageMakerClient,
  StopTrainingJobCommand,
} from "@aws-sdk/client-sagemaker";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { classifyAwsError } from "./aws-problem.ts";

/** The environment variable of a training job that names the item it belongs to. */
export const ITEM_VARIABLE = "WANDB_LAUNCH_TRACE_ID";

export interface Submission {
  readonly arn: string;
  /** The job was there already and is this item's: a lost answer, or a predecessor's submit. */
  readonly adopted: boolean;
}

/**
 * CreateTrainingJob, once: a name that is taken by this very item's job (by ITEM_VARIABLE) is a job submitted before
 * and is adopted. Throws TRAINING_JOB_NAME_TAKEN if it is somebody else's, else what the SDK threw.
 */
export async function submitTrainingJob(
  sagemaker: SageMakerClient,
  request: CreateTrainingJobRequest,
  itemId: string,
): Promise<Submission> {
  try {
    const { TrainingJobArn } = await sagemaker.send(new CreateTrainingJobCommand(request));
    return { arn: TrainingJobArn ?? "", adopted: false };
  } catch (error) {
    if (classifyAwsError(error).kind !== "in_use") throw error;
    const name = request.TrainingJobName ?? "";
    const present = await describeTrainingJob(sagemaker, name);
    // ResourceInUse can speak of something else than the name; then there is no such job.
    if (present === undefined) throw error;
    if (present.Environment?.[ITEM_VARIABLE] !== itemId) {
      throw new SlipwayError("TRAINING_JOB_NAME_TAKEN", { values: { name }, where: present.TrainingJobArn ?? name });
    }
    return { arn: present.TrainingJobArn ?? "", adopted: true };
  }
}

/** DescribeTrainingJob; undefined if there is no such job. */
export async function describeTrainingJob(
  sagemaker: SageMakerClient,
  name: string,
  signal?: AbortSignal,
): Promise<DescribeTrainingJobResponse | undefined> {
  try {
    return await sagemaker.send(
      new DescribeTrainingJobCommand({ TrainingJobName: name }),
      signal === undefined ? {} : { abortSignal: signal },
    );
  } catch (error) {
    if (classifyAwsError(error).kind === "not_found") return undefined;
    throw error;
  }
}

/** StopTrainingJob; a job that is over already, or gone, is no error. */
export async function stopTrainingJob(sagemaker: SageMakerClient, name: string): Promise<void> {
  try {
    await sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: name }));
  } catch (error) {
    const { kind, message } = classifyAwsError(error);
    if (kind === "not_found") return;
    // "The request was rejected because the training job is in status Stopped." (benchmark-ai#928)
    if (kind === "validation" && /is in status (Stopp|Complet|Fail)/i.test(message)) return;
    throw error;
  }
}
