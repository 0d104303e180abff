/** StatusMessage texts of SecondaryStatusTransitions, as SageMaker writes them. */
export const STATUS_MESSAGES = {
  launching: "Launching requested ML instances",
  preparing: "Preparing the instances for training",
  downloadingData: "Downloading input data",
  downloadingImage: "Downloading the training image",
  training: "Training image download completed. Training in progress.",
  stopping: "Stopping the training job",
  uploading: "Uploading generated training model",
  completed: "Training job completed",
  failed: "Training job failed",
  stopped: "Training job stopped",
  maxRuntime: "Training job runtime exceeded MaxRuntimeInSeconds provided",
  maxWait: "Training job wait time exceeded MaxWaitTimeInSeconds provided",
} as const;
