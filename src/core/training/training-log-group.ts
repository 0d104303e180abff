/** The CloudWatch Logs group of every training job. Its streams are `JOB/algo-N-EPOCH`. */
export const TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs";
