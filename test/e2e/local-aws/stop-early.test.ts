import { setTimeout as sleep } from "node:timers/promises";
import { SageMakerClient, StopTrainingJobCommand } from "@aws-sdk/client-sagemaker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import { pushTrainingImage } from "../../support/training-image.ts";
import { createJob, trainingRequest, untilEnd } from "../../support/training-job.ts";

/** The whole grace of SageMaker: a job that had to be killed would outlast the test. */
const GRACE_SECONDS = "120";
const ROUNDS = 20;
/** Some stops come before anything has begun, some while the sandbox is made, some when the code runs. */
const LONGEST_DELAY_MS = 900;

const SAVES = `
import signal, sys, time

def stop(number, frame):
    with open("/opt/ml/model/stopped", "w") as file:
        file.write("saved")
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
while True:
    time.sleep(60)
`;

let aws: TestLocalAws;
let image: string;
beforeAll(async () => {
  aws = await startTestLocalAws({
    settings: { PATH: process.env.PATH!, SLIPWAY_LOCAL_AWS_STOP_GRACE_SECONDS: GRACE_SECONDS },
  });
  image = await pushTrainingImage(aws, "stopped", { "train.py": SAVES });
});
afterAll(() => aws.close());

test.each([
  ["without a handler", ["sleep", "600"]],
  ["with a handler", ["python3", "train.py"]],
])(
  "a stop at any moment from the creation on ends a job %s without waiting for the grace",
  async (kind, entrypoint) => {
    const client = new SageMakerClient(aws.client);
    for (let round = 0; round < ROUNDS; round++) {
      const name = `${kind.replaceAll(" ", "-")}-${round}`;
      await createJob(aws, trainingRequest(aws, name, image, { entrypoint }));
      // The first ones at once, the others at moments of their own each time the test runs.
      const delay = round < 4 ? 0 : Math.random() * LONGEST_DELAY_MS;
      if (delay > 0) await sleep(delay);
      await client.send(new StopTrainingJobCommand({ TrainingJobName: name }));
      const job = await untilEnd(aws, name);
      expect([job.TrainingJobStatus, job.SecondaryStatus], `stopped after ${delay} ms`).toEqual(["Stopped", "Stopped"]);
    }
  },
);
