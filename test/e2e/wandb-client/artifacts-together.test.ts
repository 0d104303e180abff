import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** Versions that are not made at one stroke: by several runs together, by adding to another, from a draft of another. */

describe.each(CROSSED_WORLDS)("artifacts made in parts, on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  test.each(releases)(
    "wandb %s: runs add to one version, versions add to versions, drafts change them",
    async (release) => {
      const client = await world.client(release);
      const { code, stdout, stderr } = await client.python(`
import json, wandb
seen = {}
def of(name, texts, **options):
  a = wandb.Artifact(name, "dataset", **options)
  for path, text in texts.items():
    with a.new_file(path) as f: f.write(text)
  return a
def begin(id):
  return wandb.init(project="together", entity="admin", group="workers", id=id, settings=wandb.Settings(silent=True))
def read(name):
  a = wandb.Api().artifact(f"admin/together/{name}")
  root = a.download(root="got/" + name, skip_cache=True)
  return [a.version, {path: open(f"{root}/{path}").read() for path in sorted(a.manifest.entries)}]

for n in range(3):
  with begin(f"worker-{n}") as run:
    run.upsert_artifact(of("parts", {f"part-{n}.txt": f"of {n}", "shared.txt": "the same"}), distributed_id="shards")
    if n == 1:
      try:
        wandb.Api().artifact("admin/together/parts:latest")
        seen["early"] = "there"
      except Exception as error:
        seen["early"] = "not there"
with begin("worker-3") as run:
  run.finish_artifact(of("parts", {"part-3.txt": "of 3"}), distributed_id="shards").wait()
seen["parts"] = read("parts:latest")

with begin("whole") as run:
  run.log_artifact(of("grown", {"a.txt": "1", "b.txt": "2"})).wait()
with begin("more") as run:
  run.log_artifact(of("grown", {"b.txt": "other", "c.txt": "3"}, incremental=True)).wait()
seen["grown"] = [read("grown:v0"), read("grown:latest")]

draft = wandb.Api().artifact("admin/together/grown:latest").new_draft()
draft.remove("a.txt")
with draft.new_file("d.txt") as f: f.write("4")
with begin("draft") as run:
  run.log_artifact(draft).wait()
seen["draft"] = [read("grown:latest"), read("grown:v1")]
print(json.dumps(seen))
`);
      expect(code, `${stdout}\n${stderr}`).toBe(0);
      const parts = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`part-${n}.txt`, `of ${n}`]));
      const grown = { "a.txt": "1", "b.txt": "other", "c.txt": "3" };
      expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({
        early: "not there",
        parts: ["v0", { ...parts, "shared.txt": "the same" }],
        grown: [
          ["v0", { "a.txt": "1", "b.txt": "2" }],
          ["v1", grown],
        ],
        draft: [
          ["v2", { "b.txt": "other", "c.txt": "3", "d.txt": "4" }],
          ["v1", grown],
        ],
      });
    },
  );
});
