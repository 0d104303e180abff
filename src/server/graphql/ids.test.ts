import fc from "fast-check";
import { expect, test } from "vitest";
import { globalId, keyOf, requireKey, runGlobalId, runOfId } from "./ids.ts";

test("a key comes back out of its id, and only as the type it went in", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (key) => {
      expect(keyOf("RunQueueItem", globalId("RunQueueItem", key))).toBe(key);
      expect(keyOf("RunQueue", globalId("RunQueueItem", key))).toBeUndefined();
    }),
  );
});

test("any other text is no id", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const key = keyOf("RunQueue", text);
      if (key !== undefined) expect(globalId("RunQueue", key).replace(/=+$/, "")).toBe(text.replace(/=+$/, ""));
    }),
  );
  expect(() => requireKey("RunQueue", "default", "queueID")).toThrow("default is not the id of a RunQueue");
});

test("a run's id is the one that the client builds", () => {
  const id = runGlobalId({ name: "w3k9f2", project: "digits", entity: "ana" });
  expect(id).toBe(Buffer.from("Run:v1:w3k9f2:digits:ana").toString("base64"));
  expect(runOfId(id)).toEqual({ name: "w3k9f2", project: "digits", entity: "ana" });
  expect(runOfId(globalId("RunQueue", "1"))).toBeUndefined();
});
