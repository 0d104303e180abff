import type { DescribeTrainingJobResponse } from "@aws-sdk/client-sagemaker";
import { exitCodeOf } from "./training-status.ts";

/** What the control plane keeps of DescribeTrainingJob's answer; absent members are not known yet. JSON members are text. */
export interface TrainingFacts {
  readonly name: string;
  readonly arn?: string;
  readonly status?: string;
  readonly secondaryStatus?: string;
  readonly statusMessage?: string;
  readonly failureReason?: string;
  readonly exitCode?: number;
  readonly billableSeconds?: number;
  readonly trainingSeconds?: number;
  readonly modelArtifacts?: string;
  readonly finalMetrics?: string;
  readonly transitions?: string;
}

export function trainingFacts(name: string, job: DescribeTrainingJobResponse): TrainingFacts {
  const transitions = job.SecondaryStatusTransitions ?? [];
  return withoutUndefined({
    name,
    arn: job.TrainingJobArn,
    status: job.TrainingJobStatus,
    secondaryStatus: job.SecondaryStatus,
    statusMessage: transitions.at(-1)?.StatusMessage,
    failureReason: job.FailureReason,
    exitCode: exitCode(job),
    billableSeconds: job.BillableTimeInSeconds,
    trainingSeconds: job.TrainingTimeInSeconds,
    modelArtifacts: job.ModelArtifacts?.S3ModelArtifacts,
    finalMetrics: json(job.FinalMetricDataList),
    transitions: json(transitions),
  });
}

/** 0 for a completed job; what FailureReason names for a failed one. */
function exitCode(job: DescribeTrainingJobResponse): number | undefined {
  if (job.TrainingJobStatus === "Completed") return 0;
  return job.TrainingJobStatus === "Failed" ? exitCodeOf(job.FailureReason ?? "") : undefined;
}

function json(list: readonly unknown[] | undefined): string | undefined {
  return list === undefined || list.length === 0 ? undefined : JSON.stringify(list);
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<Partial<T>> & Pick<T, Extract<keyof T, "name">> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
