import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Started, slipway, slipwayUp } from "../../support/slipway.ts";

/** The first host listens under its own name; the second calls it by that name. Each says what it heard. */
const TRAIN = `
import json, socket, time

with open("/opt/ml/input/config/resourceconfig.json") as file:
    config = json.load(file)
me, hosts = config["current_host"], config["hosts"]
if me == hosts[0]:
    with socket.create_server((me, 29500)) as server:
        peer, _ = server.accept()
        with peer:
            print(f"{me} heard {peer.recv(100).decode()}", flush=True)
            peer.sendall(f"hello from {me}".encode())
else:
    for attempt in range(100):
        try:
            with socket.create_connection((hosts[0], 29500), timeout=10) as peer:
                peer.sendall(f"hello from {me}".encode())
                print(f"{me} heard {peer.recv(100).decode()}", flush=True)
            break
        except OSError:
            time.sleep(0.1)
with open(f"/opt/ml/model/{me}.txt", "w") as file:
    file.write(me)
`;

let dataDir: string;
let up: Started;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "slipway-hosts-"));
  up = await slipwayUp(dataDir);
});

afterAll(async () => {
  await up?.end();
});

it("runs two hosts that see each other by name, and both logs arrive", async () => {
  const folder = await mkdtemp(join(dataDir, "job-"));
  await writeFile(join(folder, "train.py"), TRAIN);
  const resources = { ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 2, VolumeSizeInGB: 2 } };
  const launched = await slipway(dataDir, ["launch", folder, "--follow", "-R", JSON.stringify(resources)]);
  expect(launched.code, launched.stderr).toBe(0);
  expect(launched.stdout).toContain("algo-1 | algo-1 heard hello from algo-2");
  expect(launched.stdout).toContain("algo-2 | algo-2 heard hello from algo-1");
  const [item] = JSON.parse((await slipway(dataDir, ["item", "list", "--json"])).stdout) as { runId: string }[];
  const all = (await slipway(dataDir, ["logs", item?.runId ?? ""])).stdout.trim().split("\n");
  expect(all.filter((line) => line.startsWith("algo-")).sort()).toEqual([
    "algo-1 | algo-1 heard hello from algo-2",
    "algo-2 | algo-2 heard hello from algo-1",
  ]);
  const { stdout } = await slipway(dataDir, ["logs", item?.runId ?? "", "--node", "algo-2"]);
  expect(stdout).toBe("algo-2 | algo-2 heard hello from algo-1\n");
});
