import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The surroundings of a command: environment variables and folders. The only place of the command line that reads process.env. */
export interface CliConfig {
  readonly env: NodeJS.ProcessEnv;
  /** SLIPWAY_DATA, else `~/.slipway`: where `up`, `server`, `local-aws` and `launch-agent` keep their state. */
  readonly dataDir: string;
  /** WANDB_CONFIG_DIR, else `~/.config/wandb`: the wandb client's own folder, which the tutorial uses too. */
  readonly wandbConfigDir: string;
  readonly home: string;
  /** SLIPWAY_DEBUG: print the stack of an unexpected error. */
  readonly debug: boolean;
}

export function readCliConfig(options: { data?: string | undefined } = {}): CliConfig {
  const env = process.env;
  const home = env.HOME ?? homedir();
  return {
    env,
    dataDir: resolve(options.data ?? env.SLIPWAY_DATA ?? join(home, ".slipway")),
    wandbConfigDir: env.WANDB_CONFIG_DIR ?? join(home, ".config", "wandb"),
    home,
    debug: Boolean(env.SLIPWAY_DEBUG),
  };
}
