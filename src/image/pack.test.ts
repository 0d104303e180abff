import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256OfFile } from "./digest.ts";
import { packDirectory } from "./pack.ts";
import { unpackArchive } from "./unpack.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pack-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

async function names(root: string): Promise<string[]> {
  const packed = await packDirectory(root);
  await packed.remove();
  return packed.files.map((file) => file.path);
}

describe("packDirectory", () => {
  it("gives the same digest for the same tree, whatever the times, the modes' details and the order of creation", async () => {
    // A segment with a leading letter for directories and a digit for files: a path is then never both.
    const path = fc
      .tuple(
        fc.array(fc.stringMatching(/^[a-z][a-zé .-]{0,30}[a-z]$/), { maxLength: 4 }),
        fc.stringMatching(/^\d\w{0,120}$/),
      )
      .map(([directories, file]) => [...directories, file].join("/"));
    const tree = fc.uniqueArray(fc.tuple(path, fc.string({ maxLength: 300 }), fc.boolean()), {
      minLength: 1,
      maxLength: 12,
      selector: ([name]) => name,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 0, max: 2_000_000_000 }), async (files, time) => {
        run += 1;
        const digests: string[] = [];
        for (const order of [files, [...files].reverse()]) {
          const root = join(folder, `${run}-${digests.length}`);
          for (const [name, content, executable] of order) {
            await write(root, { [name]: content });
            await chmod(join(root, name), executable ? 0o700 + (digests.length & 0o77) : 0o600 + digests.length * 0o44);
            await utimes(join(root, name), time + digests.length, time + digests.length);
          }
          const packed = await packDirectory(root);
          expect(await sha256OfFile(packed.archive)).toBe(packed.digest);
          digests.push(packed.digest);
          if (digests.length === 2) {
            const out = join(folder, `${run}-out`);
            await unpackArchive(packed.archive, out);
            for (const [name, content] of files) expect(await readFile(join(out, name), "utf8")).toBe(content);
          }
          await packed.remove();
        }
        expect(digests[0]).toBe(digests[1]);
      }),
      { numRuns: 15 },
    );
  });

  it("gives another digest for any change of a name, a content or the executable bit", async () => {
    const digest = async () => {
      const packed = await packDirectory(folder);
      await packed.remove();
      return packed.digest;
    };
    await write(folder, { "a.py": "1" });
    const seen = new Set([await digest()]);
    await write(folder, { "a.py": "2" });
    seen.add(await digest());
    await chmod(join(folder, "a.py"), 0o755);
    seen.add(await digest());
    await write(folder, { "b.py": "" });
    seen.add(await digest());
    expect(seen.size).toBe(4);
  });

  it("packs what GNU tar can read, with time 0 and owner 0, sorted", async () => {
    await write(folder, { "b.py": "b", "a/long.py": "x".repeat(5_000_000), [`${"d".repeat(120)}/é.py`]: "" });
    const packed = await packDirectory(folder);
    const listing = execFileSync("tar", ["-tvzf", packed.archive, "--full-time", "--utc"], { encoding: "utf8" });
    await packed.remove();
    const lines = listing.trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toMatch(/^.{10} 0\/0 +\d+ 1970-01-01 00:00:00/);
    expect(lines.map((line) => line.split(/\s+/).at(-1))[0]).toBe("a/");
  });

  it("leaves out what the ignore files name, nested ones too, and always .git, __pycache__, .venv and node_modules", async () => {
    await write(folder, {
      ".gitignore": "*.log\n/data/\n",
      ".wandbignore": "wandb/\n",
      ".slipwayignore": "!keep.log\nsecret.env\n",
      "train.py": "",
      "x.log": "",
      "keep.log": "",
      "data/a.csv": "",
      "lib/data/b.csv": "",
      "lib/.gitignore": "*.tmp\n!y.log\n",
      "lib/c.tmp": "",
      "lib/y.log": "",
      "secret.env": "",
      "wandb/run": "",
      ".git/HEAD": "",
      "lib/__pycache__/a.pyc": "",
      ".venv/bin/python": "",
      "node_modules/a/index.js": "",
    });
    expect(await names(folder)).toEqual([
      ".gitignore",
      ".slipwayignore",
      ".wandbignore",
      "keep.log",
      "lib/.gitignore",
      "lib/data/b.csv",
      "lib/y.log",
      "train.py",
    ]);
  });

  it("keeps links that stay inside, also absolute ones, and refuses one that leads out", async () => {
    await write(folder, { "lib/a.py": "a" });
    await symlink("lib/a.py", join(folder, "relative"));
    await symlink(join(folder, "lib/a.py"), join(folder, "absolute"));
    await symlink("nowhere", join(folder, "dangling"));
    const packed = await packDirectory(folder);
    const out = join(folder, "..", `${folder.split("/").at(-1)}-out`);
    await unpackArchive(packed.archive, out);
    await packed.remove();
    expect(await readlink(join(out, "relative"))).toBe("lib/a.py");
    expect(await readlink(join(out, "absolute"))).toBe("lib/a.py");
    expect((await readdir(out)).sort()).toEqual(["absolute", "dangling", "lib", "relative"]);
    await rm(out, { recursive: true });
    await symlink("/etc/passwd", join(folder, "out"));
    await expect(packDirectory(folder)).rejects.toMatchObject({ code: "CODE_LINK_LEAVES_DIRECTORY", where: "out" });
    await rm(join(folder, "out"));
    await symlink("lib/../../x", join(folder, "out"));
    await expect(packDirectory(folder)).rejects.toMatchObject({ code: "CODE_LINK_LEAVES_DIRECTORY" });
  });

  it("names the biggest files when there is too much", async () => {
    await write(folder, { "model.bin": "x".repeat(3000), "a.py": "y" });
    await expect(packDirectory(folder, { limitBytes: 1000 })).rejects.toMatchObject({
      code: "CODE_TOO_LARGE",
      message: expect.stringContaining("model.bin (3.0 kB), a.py (1 bytes)"),
    });
  });

  it("refuses a directory that is not there, is a file, or is empty", async () => {
    await expect(packDirectory(join(folder, "no"))).rejects.toMatchObject({ code: "CODE_DIRECTORY_NOT_FOUND" });
    await expect(packDirectory(folder)).rejects.toMatchObject({ code: "CODE_EMPTY" });
    await write(folder, { file: "" });
    await expect(packDirectory(join(folder, "file"))).rejects.toMatchObject({ code: "CODE_DIRECTORY_NOT_FOUND" });
  });
});
