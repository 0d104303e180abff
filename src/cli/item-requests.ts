import colors from "picocolors";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/json.ts";
import { awsCliCommand, diffRequests, withoutItem } from "../core/training/training-requests.ts";
import { type ShownItem, showItem } from "./follow.ts";
import type { Session } from "./session.ts";

/** `slipway item request`: the CreateTrainingJob request as it was sent, secrets masked, as JSON or as a command of the aws CLI. */
export async function printRequest(
  session: Session,
  id: string,
  options: { readonly awsCli: boolean; readonly name?: string },
): Promise<void> {
  if (options.name !== undefined && !options.awsCli)
    throw new SlipwayError("USAGE", { values: { problem: "--name goes with --aws-cli" }, where: "--name" });
  const item = await showItem(session.client, id);
  const request = requestOf(item);
  if (!options.awsCli) return console.log(JSON.stringify(request, undefined, 2));
  const region = item.training?.arn?.split(":")[3];
  const { command, masked } = awsCliCommand(request, {
    ...(region ? { region } : {}),
    ...(options.name === undefined ? {} : { name: options.name }),
  });
  // Beside the command, so that what is piped into a shell is the command alone.
  for (const path of masked) console.error(colors.yellow(`${path} is a secret and not kept: fill it in`));
  if (options.name === undefined)
    console.error(colors.dim("SageMaker gives a training job's name once: choose another with --name to run it again"));
  console.log(command);
}

/** `slipway item diff`: where the requests of two items differ. Gives the exit code: 0 if they say the same, 1 if not. */
export async function printDiff(
  session: Session,
  ids: { readonly left: string; readonly right: string },
  options: { readonly all: boolean; readonly json: boolean },
): Promise<number> {
  const [left, right] = await Promise.all([ids.left, ids.right].map((id) => showItem(session.client, id)));
  if (left === undefined || right === undefined) throw new Error("two items are compared");
  const shown = (item: ShownItem) => (options.all ? requestOf(item) : withoutItem(requestOf(item)));
  const differences = diffRequests(shown(left), shown(right));
  if (options.json) console.log(JSON.stringify(differences));
  else if (differences.length === 0)
    console.log(`${left.runId} and ${right.runId} were submitted with the same CreateTrainingJob request`);
  else
    for (const { path, left: ours, right: theirs } of differences) {
      console.log(colors.bold(path));
      console.log(colors.red(`  - ${text(ours)}`));
      console.log(colors.green(`  + ${text(theirs)}`));
    }
  return differences.length === 0 ? 0 : 1;
}

function requestOf(item: ShownItem): JsonObject {
  const request = item.training?.request as JsonValue | undefined;
  if (isJsonObject(request)) return request;
  throw new SlipwayError("REQUEST_NOT_THERE", { values: { item: item.runId, state: item.state } });
}

const text = (value: JsonValue | undefined) => (value === undefined ? "(nothing)" : JSON.stringify(value));
