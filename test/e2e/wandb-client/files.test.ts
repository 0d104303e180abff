import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucketOf } from "../../support/bucket.ts";
import { startTestLocalAws, type TestLocalAws } from "../../support/local-aws.ts";
import type { WandbRelease } from "../../support/python-peers.ts";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** Files of runs: sent by wandb.save and by the client itself, listed, fetched and deleted by its Api. */

const PLACES = WORLDS.flatMap(({ database, releases }) => [
  { database, releases, place: "a directory" },
  { database, releases, place: "S3" },
]);

describe.each(PLACES)("on $database with files in $place", ({ database, releases, place }) => {
  let world: WandbWorld;
  let aws: TestLocalAws | undefined;
  beforeAll(async () => {
    aws = place === "S3" ? await startTestLocalAws() : undefined;
    world = await startWandbWorld({ database, env: aws ? await bucketOf(aws) : {} });
  });
  afterAll(async () => {
    await world?.close();
    await aws?.close();
  });

  if (place === "S3")
    test("addresses of files lead past the server, to the bucket", async () => {
      await world.graphql(`mutation { upsertBucket(input: { modelName: "addresses", name: "r1" }) { inserted } }`);
      const { createRunFiles } = await world.graphql<{ createRunFiles: { files: { uploadUrl: string }[] } }>(
        `mutation { createRunFiles(input: { entityName: "admin", projectName: "addresses", runName: "r1", files: ["a"] }) {
         files { uploadUrl } } }`,
      );
      expect(createRunFiles.files[0]?.uploadUrl).toContain(`${aws?.url}/slipway-files/some/prefix/`);
    });

  describe.each(releases)("wandb %s", (release) => {
    test("files arrive whole by every policy and can be listed, fetched and deleted", () => filesFlow(world, release));
  });
});

async function filesFlow(world: WandbWorld, release: WandbRelease): Promise<void> {
  const project = `files-${release.replaceAll(".", "-")}`;
  const client = await world.client(release);
  const { code, stdout, stderr } = await client.python(`
import base64, hashlib, json, os, time, wandb
run = wandb.init(project=${JSON.stringify(project)}, id="files")
os.makedirs("out/deep", exist_ok=True)
big = os.urandom(30_000_000)
open("out/deep/model ü.bin", "wb").write(big)
open("now.txt", "w").write("now")
open("live.txt", "w").write("first")
open("end.csv", "w").write("a,b")
open("empty.txt", "w").close()
run.save("out/deep/*", base_path=".", policy="now")
run.save("now.txt", policy="now")
run.save("live.txt", policy="live")
run.save("end.csv", policy="end")
run.save("empty.txt", policy="now")
time.sleep(1)
open("live.txt", "w").write("second, longer")
run.finish()
del run

api = wandb.Api()
run = api.run("admin/${project}/files")
files = {f.name: f for f in run.files(per_page=3)}
assert len(run.files()) == len(files), (len(run.files()), sorted(files))
name = "out/deep/model ü.bin"
model = files[name]
assert model.size == len(big), model.size
assert model.md5 == base64.b64encode(hashlib.md5(big).digest()).decode(), model.md5
model.download(root="got").close()
assert open("got/" + name, "rb").read() == big
def text(name):
    with run.file(name).download(root="got", replace=True) as f: return f.read()
assert text("now.txt") == "now"
assert text("live.txt") == "second, longer", text("live.txt")
assert text("end.csv") == "a,b"
assert files["empty.txt"].size == 0
assert files["end.csv"].mimetype == "text/csv" and files["end.csv"].updated_at
assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json"} <= set(files), sorted(files)
assert sorted(f.name for f in run.files(pattern="%.txt") if f.name != "requirements.txt") == ["empty.txt", "live.txt", "now.txt"]
assert [f.name for f in run.files(names=["now.txt", "absent"])] == ["now.txt"]
wandb.restore("now.txt", run_path="admin/${project}/files", root="restored").close()
assert open("restored/now.txt").read() == "now"
run.upload_file("now.txt")
files["end.csv"].delete()
names = [f.name for f in api.run("admin/${project}/files").files()]
assert "end.csv" not in names and "now.txt" in names, names
try:
    files["end.csv"].delete()
    raise SystemExit("a file was deleted twice")
except (ValueError, wandb.errors.CommError) as e:
    assert "end.csv" in str(e), e
print("done")
`);
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(stdout).toContain("done");
}
