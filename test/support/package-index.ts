import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface PackageIndex {
  /** A page of links for pip's --find-links. */
  readonly url: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** name, tag: `greeting` for any machine with a command `greet`, `maconly` for a Mac, `sourceonly` without a wheel. */
const MAKE = `
import io, sys, tarfile, zipfile
def wheel(name, version, tag, files):
    info = f"{name}-{version}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: {tag}\\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
wheel("greeting", "1.0", "py3-none-any", {
    "greeting/__init__.py": "def main():\\n    print('hello from a package')\\n",
    "greeting-1.0.dist-info/entry_points.txt": "[console_scripts]\\ngreet = greeting:main\\n",
})
wheel("maconly", "2.0", "cp311-cp311-macosx_11_0_arm64", {"maconly.py": ""})
with tarfile.open(f"{sys.argv[1]}/sourceonly-3.0.tar.gz", "w:gz") as archive:
    archive.addfile(tarfile.TarInfo("sourceonly-3.0/setup.py"), io.BytesIO())
`;

/** Serves a few packages made for the purpose, so that nothing comes from outside and every request is seen. */
export async function startPackageIndex(): Promise<PackageIndex> {
  const folder = await mkdtemp(join(tmpdir(), "package-index-"));
  await promisify(execFile)("python3", ["-c", MAKE, folder]);
  const names = await readdir(folder);
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? "/").slice(1);
    asked.push(path);
    if (path === "") {
      response.setHeader("content-type", "text/html");
      response.end(names.map((name) => `<a href="${name}">${name}</a>`).join("\n"));
    } else if (names.includes(path)) {
      response.setHeader("content-type", "application/octet-stream");
      response.end(await readFile(join(folder, path)));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`,
    asked,
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
