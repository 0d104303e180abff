const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS = `${LETTERS}0123456789`;

/** Bytes that mintRunId needs. */
export const RUN_ID_BYTES = 16;

/**
 * A new run id: eight lower-case letters and digits, the first a letter, so that SageMaker takes it as a training job's name and
 * YAML never reads it as a number. Takes 16 random bytes, two for each character, which makes the bias of the remainder (1 in
 * 1,800 at most) of no account.
 */
export function mintRunId(random: Uint8Array): string {
  if (random.length < RUN_ID_BYTES)
    throw new RangeError(`a run id needs ${RUN_ID_BYTES} random bytes, not ${random.length}`);
  let id = "";
  for (let i = 0; i < 8; i++) {
    const alphabet = i === 0 ? LETTERS : LETTERS_AND_DIGITS;
    id += alphabet[((random[2 * i]! << 8) | random[2 * i + 1]!) % alphabet.length];
  }
  return id;
}

/** Why the wandb client could not use this as a run id (its rule, wandb/sdk/wandb_settings.py), or undefined. At most 128 characters. */
export function runIdProblem(runId: string): string | undefined {
  if (runId === "") return "A run id is not empty";
  if (runId.length > 128) return "A run id has at most 128 characters";
  if (runId.trim() !== runId) return "A run id does not begin or end with a space";
  const bad = /[:;,#?/'\\%]|\p{Cc}/u.exec(runId);
  return bad === null ? undefined : `A run id does not contain ${JSON.stringify(bad[0])}`;
}
