import type { ItemPhase } from "../core/items/item-states.ts";
import type { TrainingStep } from "../sagemaker/training-status.ts";

/** `0.35 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`. */
export function seconds(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 120) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const BEGINS: Partial<Record<ItemPhase, string>> = {
  starting: "SageMaker is starting the instances",
  pending_capacity: "SageMaker waits for free instances of this type",
  downloading: "Downloading the image and the input data",
  training: "The training code is running",
  interrupted: "The spot instance was taken back; SageMaker looks for another",
  uploading: "Uploading the model and the output",
  stopping: "SageMaker is stopping the training code",
};

const DONE: Partial<Record<ItemPhase, string>> = {
  starting: "started in",
  pending_capacity: "capacity after",
  downloading: "downloaded in",
  training: "trained for",
  interrupted: "interrupted for",
  uploading: "uploaded in",
  stopping: "stopped in",
};

/** A sentence for the timeline: what begins now, and how long the step before it took. */
export function stepSentence(step: TrainingStep, before: TrainingStep | undefined): string {
  const begins = BEGINS[step.phase] ?? step.secondaryStatus;
  const done = before === undefined ? undefined : DONE[before.phase];
  if (before === undefined || done === undefined) return begins;
  return `${begins} (${done} ${seconds((before.endedAt ?? step.startedAt) - before.startedAt)})`;
}
