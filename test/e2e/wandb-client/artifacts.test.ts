import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWandbWorld, type WandbWorld, WORLDS } from "../../support/wandb-world.ts";

/** Artifacts of the unmodified client: logged, used, downloaded, named, changed, deleted. */

describe.each(WORLDS)("artifacts on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  test.each(releases)("wandb %s logs, uses, downloads, renames and deletes versions", async (release) => {
    const client = await world.client(release);
    const project = `artifacts-${release.replaceAll(".", "-")}`;
    const { code, stdout, stderr } = await client.python(`
import json, os, wandb
seen = {}
def make(text):
  a = wandb.Artifact("data-set", "dataset", description="numbers", metadata={"rows": 3})
  with a.new_file("dir/a.txt") as f: f.write(text)
  with a.new_file("b.txt") as f: f.write("always the same")
  a.add_reference(near, name="near")
  return a
with open("near.txt", "w") as f: f.write("kept elsewhere")
near = "file://" + os.path.abspath("near.txt")
run = wandb.init(project="${project}", entity="admin", id="maker", settings=wandb.Settings(silent=True))
versions = []
for text in ("one", "two", "one"):
  a = run.log_artifact(make(text), aliases=["best"])
  a.wait()
  versions.append(a.version)
seen["versions"] = versions
far = wandb.Artifact("far-set", "elsewhere")
far.add_reference("s3://bucket/key", name="far", checksum=False)
run.log_artifact(far).wait()
run.log({"table": wandb.Table(columns=["x"], data=[[1], [2]])})
run.finish()
run = wandb.init(project="${project}", entity="admin", id="user", settings=wandb.Settings(silent=True))
used = run.use_artifact("data-set:v1")
path = used.download(root="got", skip_cache=True)
seen["files"] = {p: open(os.path.join(path, p)).read() for p in ("dir/a.txt", "b.txt", "near")}
seen["far"] = wandb.Api().artifact("admin/${project}/far-set:latest").manifest.entries["far"].ref
seen["one"] = open(used.get_entry("dir/a.txt").download(root="alone", skip_cache=True)).read()
run.finish()
api = wandb.Api()
a = api.artifact("admin/${project}/data-set:v1")
seen["told"] = [a.description, dict(a.metadata), a.type, a.state, a.size > 0, a.file_count, sorted(a.aliases)]
seen["best"] = api.artifact("admin/${project}/data-set:best").version
seen["latest"] = api.artifact("admin/${project}/data-set:latest").version
seen["logged_by"] = a.logged_by().id
seen["used_by"] = [r.id for r in a.used_by()]
a.aliases.append("good")
a.description = "better"
a.metadata["rows"] = 4
a.tags = ["checked"]
a.save()
a = api.artifact("admin/${project}/data-set:good")
seen["changed"] = [a.version, a.description, a.metadata, sorted(a.tags)]
seen["types"] = sorted(t.name for t in api.artifact_types("admin/${project}"))
seen["collections"] = [c.name for c in api.artifact_type("dataset", "admin/${project}").collections()]
seen["all"] = [v.version for v in api.artifacts("dataset", "admin/${project}/data-set")]
seen["made"] = sorted({x.name for x in api.run("admin/${project}/maker").logged_artifacts() if x.type == "dataset"})
seen["taken"] = [x.name for x in api.run("admin/${project}/user").used_artifacts()]
seen["listed"] = sorted(f.name for f in a.files())
try:
  a.delete()
  seen["kept"] = False
except Exception as e:
  seen["kept"] = True
a.delete(delete_aliases=True)
seen["left"] = [v.version for v in api.artifacts("dataset", "admin/${project}/data-set")]
try:
  api.artifact("admin/${project}/nothing:latest"); seen["missing"] = False
except Exception as e:
  seen["missing"] = "nothing" in str(e)
print(json.dumps(seen))
`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({
      versions: ["v0", "v1", "v0"],
      files: { "dir/a.txt": "two", "b.txt": "always the same", near: "kept elsewhere" },
      far: "s3://bucket/key",
      one: "two",
      told: ["numbers", { rows: 3 }, "dataset", "COMMITTED", true, 3, []],
      best: "v0",
      latest: "v0",
      logged_by: "maker",
      used_by: ["user"],
      changed: ["v1", "better", { rows: 4 }, ["checked"]],
      types: ["dataset", "elsewhere", "run_table"],
      collections: ["data-set"],
      all: ["v1", "v0"],
      made: ["data-set:v0", "data-set:v1"],
      taken: ["data-set:v1"],
      listed: ["b.txt", "dir/a.txt", "near"],
      kept: true,
      left: ["v0"],
      missing: true,
    });
  });
});
