import { pythonPeers, WANDB_RELEASES } from "./python-peers.ts";

/** The Python peers of the end-to-end tests, installed before them all: on a bare machine that takes longer than a test may. */
export async function setup(): Promise<void> {
  for (const release of WANDB_RELEASES) await pythonPeers(release);
}
