import { expect, test } from "vitest";
import { artifactReference, declaredArtifacts } from "./declared-artifacts.ts";

const from = { entity: "me", project: "proj" };

test.each([
  ["wandb-artifact://_id/QXJ0", { id: "QXJ0" }],
  ["wandb-artifact://a/b/c:v1", { entityName: "a", projectName: "b", name: "c:v1" }],
  ["b/c:latest", { entityName: "me", projectName: "b", name: "c:latest" }],
  ["c", { entityName: "me", projectName: "proj", name: "c" }],
  ["wandb-artifact://_id", undefined],
  ["a/b/c/d", undefined],
  ["", undefined],
])("%s is a reference", (text, reference) => {
  expect(artifactReference(text, from)).toEqual(reference);
});

test("an item declares its job, its overrides and the references in its config", () => {
  const spec = {
    ...from,
    job: "me/proj/train:v2",
    overrides: {
      artifacts: { data: "set:v1", model: { _type: "artifactVersion", id: "abc" } },
      run_config: { lr: 1, nested: [{ path: "wandb-artifact://x/y/z:v0" }, "plain/text:v1"] },
    },
  };
  expect(declaredArtifacts(spec)).toEqual([
    { entityName: "me", projectName: "proj", name: "train:v2" },
    { entityName: "me", projectName: "proj", name: "set:v1" },
    { id: "abc" },
    { entityName: "x", projectName: "y", name: "z:v0" },
  ]);
  expect(declaredArtifacts(from)).toEqual([]);
});
