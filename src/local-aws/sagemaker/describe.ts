import type { TrainingJob } from "./job-store.ts";

/** DescribeTrainingJob's answer. Times are seconds since 1970 with milliseconds, as JSON 1.1 has them. */
export function describeJob(job: TrainingJob): object {
  const { Tags: _tags, ...request } = job.request;
  const seconds =
    job.trainingStart === undefined || job.trainingEnd === undefined
      ? undefined
      : Math.max(1, Math.round((job.trainingEnd - job.trainingStart) / 1000));
  return {
    ...request,
    TrainingJobArn: job.arn,
    ...(job.modelArtifacts === undefined ? {} : { ModelArtifacts: { S3ModelArtifacts: job.modelArtifacts } }),
    TrainingJobStatus: job.status,
    SecondaryStatus: job.secondary,
    ...(job.failureReason === undefined ? {} : { FailureReason: job.failureReason }),
    EnableNetworkIsolation: request.EnableNetworkIsolation ?? false,
    EnableInterContainerTrafficEncryption:
      (request as { EnableInterContainerTrafficEncryption?: boolean }).EnableInterContainerTrafficEncryption ?? false,
    EnableManagedSpotTraining: request.EnableManagedSpotTraining ?? false,
    CreationTime: job.createdAt / 1000,
    LastModifiedTime: job.modifiedAt / 1000,
    ...time("TrainingStartTime", job.trainingStart),
    ...time("TrainingEndTime", job.trainingEnd),
    SecondaryStatusTransitions: job.transitions.map((transition) => ({
      Status: transition.status,
      StartTime: transition.start / 1000,
      ...time("EndTime", transition.end),
      StatusMessage: transition.message,
    })),
    // Nothing interrupts a job here, so a spot job's billable time is its training time.
    ...(seconds === undefined ? {} : { TrainingTimeInSeconds: seconds, BillableTimeInSeconds: seconds }),
    ...(job.metrics.length === 0
      ? {}
      : {
          FinalMetricDataList: job.metrics.map((metric) => ({
            MetricName: metric.name,
            Value: metric.value,
            Timestamp: metric.at / 1000,
          })),
        }),
    ProfilingStatus: "Disabled",
  };
}

/** One entry of ListTrainingJobs. */
export function summarizeJob(job: TrainingJob): object {
  return {
    TrainingJobName: job.name,
    TrainingJobArn: job.arn,
    CreationTime: job.createdAt / 1000,
    ...time("TrainingEndTime", job.trainingEnd),
    LastModifiedTime: job.modifiedAt / 1000,
    TrainingJobStatus: job.status,
    SecondaryStatus: job.secondary,
  };
}

function time(name: string, milliseconds: number | undefined): object {
  return milliseconds === undefined ? {} : { [name]: milliseconds / 1000 };
}
