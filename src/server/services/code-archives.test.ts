import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databases, type TestDatabase } from "../../../test/support/databases.ts";
import { type ControlPlane, createControlPlane } from "../testing/control-plane.ts";

const digestOf = (content: string) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

describe.each(databases)("code archives on $name", ({ open }) => {
  let store: TestDatabase;
  let plane: ControlPlane;
  beforeAll(async () => {
    store = await open();
    plane = await createControlPlane(store.database, { codeArchiveBytes: 1024 ** 2 });
  });
  afterAll(async () => {
    await plane?.close();
    await store?.close();
  });
  const put = (digest: string, content: string) =>
    plane.services.codeArchives.put(plane.admin, "admin", digest, Readable.from([content]));
  const has = (digest: string) => plane.services.codeArchives.has(plane.admin, "admin", digest);

  test("stored twice, or by several at once, it is there once and comes back as it was", async () => {
    const digest = digestOf("code");
    expect(await has(digest)).toBe(false);
    const stored = await Promise.all([put(digest, "code"), put(digest, "code"), put(digest, "code")]);
    expect(stored).toEqual([{ size: 4 }, { size: 4 }, { size: 4 }]);
    expect(await put(digest, "code")).toEqual({ size: 4 });
    const found = await plane.services.codeArchives.get(plane.admin, "admin", digest);
    expect(found?.size).toBe(4);
    expect(found && (await text(found.body))).toBe("code");
  });

  test("content of another digest, too much of it, or no digest at all is refused, and nothing is kept", async () => {
    const digest = digestOf("this");
    await expect(put(digest, "that")).rejects.toMatchObject({ code: "CODE_DIGEST_MISMATCH" });
    expect(await has(digest)).toBe(false);
    const large = "x".repeat(1024 ** 2 + 1);
    await expect(put(digestOf(large), large)).rejects.toMatchObject({ code: "CODE_ARCHIVE_TOO_LARGE" });
    expect(await has(digestOf(large))).toBe(false);
    await expect(put("sha256:../../x", "x")).rejects.toMatchObject({ code: "INPUT_INVALID", where: "digest" });
    expect(await plane.services.codeArchives.get(plane.admin, "admin", digest)).toBeUndefined();
  });

  test("one entity's archive is not another's", async () => {
    const digest = digestOf("mine");
    await put(digest, "mine");
    const other = await plane.user("other");
    expect(await plane.services.codeArchives.has(other, "other", digest)).toBe(false);
    await expect(plane.services.codeArchives.has(other, "admin", digest)).rejects.toMatchObject({
      code: "ENTITY_NOT_FOUND",
    });
  });
});
