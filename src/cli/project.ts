import type { Session } from "./session.ts";

/** Where runs go that were told nothing else, as with the wandb client. */
export const NO_PROJECT = "uncategorized";

/** The project of a job: `-p`, else WANDB_PROJECT, else uncategorized. */
export function projectOf(session: Session, given: string | undefined): string {
  return given ?? (session.config.env.WANDB_PROJECT || NO_PROJECT);
}
