import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucketOf } from "../../support/bucket.ts";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import type { WandbRelease } from "../../support/python-peers.ts";
import { type RecordingProxy, startRecordingProxy } from "../../support/recording-proxy.ts";
import { until } from "../../support/slipway.ts";
import { startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** Files of several hundred megabytes in artifacts of the unmodified client, uploads in parts, and one that is broken off. */

const MIB = 1024 * 1024;
const SMALL = 5_000_000;
const BIG = 300_000_000;

/** The client sends a file in parts from 2 GiB on: in one world, as that takes long. Parts in a bucket have a test beside the source. */
const WORLDS = [
  { database: "sqlite", release: "0.23.0", place: "a directory", huge: true },
  { database: "postgres", release: "0.31.0", place: "S3", huge: false },
] as const satisfies readonly { database: string; release: WandbRelease; place: string; huge: boolean }[];

describe.each(WORLDS)("wandb $release on $database with files in $place", ({ database, release, place, huge }) => {
  let world: WandbWorld;
  let aws: TestLocalAws | undefined;
  let bucket: RecordingProxy | undefined;
  beforeAll(async () => {
    if (place === "S3") {
      const started = await startTestLocalAws();
      aws = started;
      bucket = await startRecordingProxy(() => started.client.endpoint);
      world = await startWandbWorld({ database, env: await bucketOf(started, { publicEndpoint: bucket.url }) });
    } else {
      world = await startWandbWorld({ database });
    }
  });
  afterAll(async () => {
    await world?.close();
    await bucket?.close();
    await aws?.close();
  });

  /** Files that went up by clients, the manifests not among them. */
  const uploads = () => (bucket ?? world).uploads().filter(({ bytes }) => bytes > MIB);

  test("an upload that was broken off goes on: what has arrived is not sent again", async () => {
    const client = await world.client(release);
    const source = `
import os, wandb
run = wandb.init(project="large", entity="admin", settings=wandb.Settings(silent=True))
if not os.path.exists("small.bin"):
  open("small.bin", "wb").write(os.urandom(${SMALL}))
  with open("big.bin", "wb") as f:
    f.write(os.urandom(1_000_000)); f.truncate(${BIG})
a = wandb.Artifact("broken", "dataset")
a.add_file("small.bin", policy="immutable", skip_cache=True)
a.add_file("big.bin", policy="immutable", skip_cache=True)
run.log_artifact(a).wait()
run.finish()
got = wandb.Api().artifact("admin/large/broken:v0").download(root="got", skip_cache=True)
assert open("got/small.bin", "rb").read() == open("small.bin", "rb").read()
assert os.system("cmp got/big.bin big.bin") == 0
print("whole")
`;
    const killed = client.startPython(source);
    await until("the small file", async () => {
      const under = uploads();
      return under.some(({ bytes }) => bytes === SMALL) && under.some(({ bytes }) => bytes > SMALL) ? true : undefined;
    });
    await killed.stop("SIGKILL");
    const before = uploads().length;
    expect(uploads().map(({ bytes }) => bytes)).not.toContain(BIG);
    const { code, stdout, stderr } = await client.python(source);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toContain("whole");
    expect(
      uploads()
        .slice(before)
        .map(({ bytes }) => bytes),
    ).toEqual([BIG]);
  });

  if (!huge) return;
  test("a file of 2 GiB is sent in parts, and the server's memory stays flat", async () => {
    const client = await world.client(release);
    const before = uploads().length;
    const memory = await world.serverPeakMemory();
    const { code, stdout, stderr } = await client.python(`
import os, wandb
with open("huge.bin", "wb") as f:
  for at in range(0, 2**31, 2**27):
    f.seek(at); f.write(os.urandom(1_000_000))
  f.truncate(2**31 + 10)
run = wandb.init(project="large", entity="admin", settings=wandb.Settings(silent=True))
a = wandb.Artifact("huge", "dataset")
a.add_file("huge.bin", policy="immutable", skip_cache=True)
run.log_artifact(a).wait()
run.finish()
print(wandb.Api().artifact("admin/large/huge:v0").size)
`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    // Committed: so the server has put it together and found the MD5 that the client says.
    expect(stdout.trim().split("\n").at(-1)).toBe(String(2 ** 31 + 10));
    const sent = uploads()
      .slice(before)
      .map(({ bytes }) => bytes);
    expect(sent).toHaveLength(21);
    expect(Math.max(...sent)).toBe(100 * MIB);
    expect(await world.serverPeakMemory()).toBeLessThan(memory + 100 * MIB);
  });
});
