import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WandbRelease } from "../../support/python-peers.ts";
import { CROSSED_WORLDS, startWandbWorld, type WandbWorld } from "../../support/wandb-world.ts";

/** `wandb.Api()` of the unmodified client: users, teams, projects, lists of runs. */

describe.each(CROSSED_WORLDS)("the public API on $database", ({ database, releases }) => {
  let world: WandbWorld;
  beforeAll(async () => {
    world = await startWandbWorld({ database });
  });
  afterAll(() => world?.close());

  /** Runs the program and reads the JSON on its last line. */
  async function python<T>(release: WandbRelease, source: string, apiKey = world.apiKey): Promise<T> {
    const client = await world.client(release, { apiKey });
    const { code, stdout, stderr } = await client.python(`import json, wandb\napi = wandb.Api()\n${source}`);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as T;
  }

  describe.each(releases)("wandb %s", (release) => {
    const tag = release.replaceAll(".", "-");
    const project = `lists-${tag}`;

    test("projects are made, read and listed page by page", async () => {
      const seen = await python<{ all: string[]; one: unknown[]; missing: string }>(
        release,
        `
for n in range(5): api.create_project(f"p${tag}-{n}", "admin")
all = [p.name for p in api.projects("admin", per_page=2)]
p = api.project("p${tag}-3", "admin")
try:
  missing = api.project("nope", "admin").id
except Exception as e:
  missing = str(e)
print(json.dumps({"all": all, "one": [p.name, p.entity, bool(p.id), p.is_benchmark, p.created_at[:2], p.url], "missing": missing}))`,
      );
      const made = Array.from({ length: 5 }, (_, n) => `p${tag}-${n}`);
      expect(seen.all.filter((name) => name.startsWith(`p${tag}-`))).toEqual(made);
      expect(seen.one).toEqual([`p${tag}-3`, "admin", true, false, "20", expect.stringContaining(`p${tag}-3`)]);
      expect(seen.missing).toMatch(/nope|not found|NoneType/);
    });

    test("the caller, users, their keys and teams", async () => {
      const seen = await python<Record<string, unknown>>(
        release,
        `
me = api.viewer
made = api.create_user("ann.${tag}@example.com")
found = api.user("ann.${tag}@example.com")
team = api.create_team("team-${tag}")
invited = team.invite("ann.${tag}")
def told(name):
  # The older client lets the server's words through, the newer one says False.
  try:
    return team.invite(name)
  except Exception as e:
    return "in the team" not in str(e) and "no user named" not in str(e)
again = told("ann.${tag}")
nobody = told("nobody-at-all")
service = team.create_service_account("Nightly tests")
team = api.team("team-${tag}")
members = [[m.name, m.admin, m.account_type] for m in team.members]
removed = team.members[1].delete()
left = [m.name for m in api.team("team-${tag}").members]
print(json.dumps({"me": [me.username, me.entity, me.admin], "made": made.username, "found": found.username,
  "users": sorted(u.username for u in api.users("ann.${tag}")), "none": api.user("zzz"),
  "teams": wandb.Api().viewer.teams,
  "invited": [invited, again, nobody], "service": service.name, "members": members, "removed": removed, "left": left}))`,
      );
      expect(seen).toEqual({
        me: ["admin", "admin", true],
        made: `ann.${tag}`,
        found: `ann.${tag}`,
        users: [`ann.${tag}`],
        none: null,
        teams: expect.arrayContaining([`team-${tag}`]),
        invited: [true, false, false],
        service: `team-${tag}-nightly-tests`,
        members: [
          ["admin", true, "ADMIN"],
          [`ann.${tag}`, false, "MEMBER"],
          [`team-${tag}-nightly-tests`, false, "SERVICE"],
        ],
        removed: true,
        left: ["admin", `team-${tag}-nightly-tests`],
      });
    });

    // The older client takes the name of a key for the key itself, and so can't make one: no key is ever shown again.
    if (release !== "0.23.0")
      test("a key of one's own is made, works, and is deleted", async () => {
        const seen = await python(
          release,
          `
me = api.viewer
key = me.generate_api_key("second")
works = wandb.Api(api_key=key).viewer.username
deleted = me.delete_api_key(key)
try:
  after = wandb.Api(api_key=key).viewer.username
except Exception as e:
  after = type(e).__name__
print(json.dumps([len(key) >= 40, works, deleted, after]))`,
        );
        expect(seen).toEqual([true, "admin", true, expect.stringContaining("Error")]);
      });

    test("runs by filters and orders, with lengths and pages", async () => {
      const seen = await python<Record<string, unknown>>(
        release,
        `
for name, lr, loss, tags, group in (("one", 0.1, 0.5, ["x"], "g"), ("two", 1, 0.25, ["x", "y"], "g"), ("three", "high", 2, [], None)):
  run = wandb.init(project="${project}", entity="admin", id=name, name=name.title(), tags=tags, group=group, job_type="train",
    config={"lr": lr, "opt": {"name": "adam" if lr == 1 else "sgd"}}, settings=wandb.Settings(silent=True))
  run.log({"loss": loss, "eval/acc": 1 - loss})
  run.finish(exit_code=1 if name == "three" else 0)
api.create_run(run_id="four", project="${project}", entity="admin")
path = "admin/${project}"
def names(filters=None, order=None, **more):
  runs = wandb.Api().runs(path, filters=filters, order=order or "+created_at", **more)
  found = [r.id for r in runs]
  assert len(runs) == len(found), (len(runs), found)
  return found
def refused(**what):
  try:
    return list(wandb.Api().runs(path, **what)) and "let through"
  except Exception as e:
    return str(e)
lazy = wandb.Api().runs(path, filters={"name": "two"})[0]
print(json.dumps({
  "all": names(), "pages": names(per_page=2), "newest": names(order="-created_at"), "loss": names(order="-summary_metrics.loss"),
  "several": names(order="+group,-name", filters={"state": {"$in": ["finished", "failed"]}}),
  "finished": names({"state": "finished"}), "failed": names({"state": "failed"}),
  "config": names({"config.lr": {"$lt": 0.5}}), "nested": names({"config.opt.name": "adam"}), "value": names({"config.lr.value": 1}),
  "text": names({"config.lr": "high"}), "or": names({"$or": [{"config.lr": 1}, {"summary_metrics.loss": {"$gt": 1}}]}),
  "tags": names({"tags": {"$in": ["y"]}}), "not": names({"$not": {"tags": "x"}}), "regex": names({"display_name": {"$regex": "^T"}}),
  "group": names({"group": "g"}), "job": names({"jobType": "train", "username": "admin"}), "slash": names({"summary_metrics.eval/acc": {"$gte": 0.75}}),
  "since": names({"createdAt": {"$gt": "2020-01-01T00:00:00Z"}}), "before": names({"created_at": {"$lt": "2020-01-01"}}),
  "full": [r.config["lr"] for r in wandb.Api().runs(path, filters={"name": "one"}, lazy=False)],
  "lazy": [lazy.config["lr"], lazy.summary["loss"], lazy.state, lazy.user.username, lazy.url],
  "operator": refused(filters={"state": {"$near": 1}}), "field": refused(filters={"sate": "finished"}), "order": refused(order="+loss"),
}))`,
      );
      expect(seen).toMatchObject({
        all: ["one", "two", "three", "four"],
        pages: ["one", "two", "three", "four"],
        newest: ["four", "three", "two", "one"],
        loss: ["three", "one", "two", "four"],
        several: ["two", "one", "three"],
        finished: ["one", "two"],
        failed: ["three"],
        config: ["one"],
        nested: ["two"],
        value: ["two"],
        text: ["three"],
        or: ["two", "three"],
        tags: ["two"],
        not: ["three", "four"],
        regex: ["two", "three"],
        group: ["one", "two"],
        job: ["one", "two", "three"],
        slash: ["two"],
        since: ["one", "two", "three", "four"],
        before: [],
        full: [0.1],
        lazy: [1, 0.25, "finished", "admin", expect.stringContaining(`/admin/${project}/runs/two`)],
        operator: expect.stringContaining("The operator $near at state.$near is not one of $eq, $ne"),
        field: expect.stringContaining("Runs have no field sate"),
        order: expect.stringContaining("Runs have no field loss"),
      });
    });

    test("what another person may not see is not there", async () => {
      const key = (
        await world.graphql<{ createUser: { apiKey: string } }>(
          `mutation U { createUser(input: { name: "bob-${tag}" }) { apiKey } }`,
        )
      ).createUser.apiKey;
      const seen = await python<Record<string, unknown>>(
        release,
        `
def attempt(what):
  try:
    return what()
  except Exception as e:
    return type(e).__name__ + ": " + str(e)
print(json.dumps({"me": api.viewer.username, "own": [p.name for p in api.projects("bob-${tag}")],
  "runs": attempt(lambda: [r.id for r in api.runs("admin/${project}")]), "users": attempt(lambda: api.user("admin").username),
  "projects": attempt(lambda: [p.name for p in api.projects("admin")])}))`,
        key,
      );
      expect(seen).toMatchObject({
        me: `bob-${tag}`,
        own: [],
        runs: expect.stringContaining(`Could not find project ${project}`),
        users: expect.stringContaining("may not see the users"),
        projects: expect.stringContaining("There is no user or team named admin that you may see"),
      });
    });
  });
});
