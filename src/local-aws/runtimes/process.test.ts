import { execFile } from "node:child_process";
import { access, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResolvedImage } from "../ecr/image-store.ts";
import { createProcessRuntime } from "./process.ts";
import type { ContainerSpec, RunningContainer } from "./runtime.ts";

const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const logger = pino({ level: "silent" });

let directory: string;
let unpacked: string;
const started: RunningContainer[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-process-"));
  unpacked = join(directory, "image");
  await mkdir(join(unpacked, "opt/slipway/code"), { recursive: true });
  await writeFile(join(unpacked, "opt/slipway/code/hello.txt"), "from the image\n");
});

afterAll(async () => {
  for (const container of started) await container.remove();
  await rm(directory, { recursive: true, force: true });
});

function runtime(sandbox: "bubblewrap" | "unshare") {
  return createProcessRuntime({
    images: { unpack: async () => unpacked },
    logger,
    searchPath: SEARCH_PATH,
    hidden: [],
    sandbox,
  });
}

function image(): ResolvedImage {
  return {
    digest: `sha256:${"0".repeat(64)}`,
    repository: "test",
    accountId: "123456789012",
    region: "us-east-1",
    configDigest: `sha256:${"1".repeat(64)}`,
    config: { Env: ["FROM_IMAGE=yes", "BOTH=image"], WorkingDir: "/opt/slipway/code" },
    platform: { os: "linux", architecture: "amd64" },
    layers: [],
    labels: { "io.slipway.base": "host" },
  };
}

async function spec(script: string, over: Partial<ContainerSpec> = {}): Promise<ContainerSpec> {
  const own = await mkdtemp(join(directory, "job-"));
  await mkdir(join(own, "ml"));
  return {
    jobName: "job",
    host: "algo-1",
    hosts: ["algo-1", "algo-2"],
    image: image(),
    entrypoint: ["/bin/sh", "-c", script],
    arguments: ["train"],
    env: { BOTH: "request" },
    mlDir: join(own, "ml"),
    networkIsolation: false,
    stateDir: join(own, "state"),
    ...over,
  };
}

async function start(kind: "bubblewrap" | "unshare", given: ContainerSpec): Promise<RunningContainer> {
  const container = await runtime(kind).start(given);
  started.push(container);
  return container;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function lines(container: RunningContainer): Promise<string[]> {
  const found: string[] = [];
  for await (const { text } of container.output()) found.push(text);
  return found;
}

/** The first line, when it has come; ends the reading. */
async function firstLine(container: RunningContainer): Promise<string | undefined> {
  for await (const { text } of container.output()) return text;
  return undefined;
}

describe.each(["bubblewrap", "unshare"] as const)("%s", (kind) => {
  test("runs the payload in its image's directory with its own /opt/ml, names and environment only", async () => {
    process.env.SLIPWAY_TEST_SECRET = "seen";
    const given = await spec(
      'cat hello.txt; echo "$0 $FROM_IMAGE $BOTH ${SLIPWAY_TEST_SECRET-unset}"; hostname; echo out; echo err >&2; echo again > /dev/stdout; echo model > /opt/ml/result; getent hosts algo-2 | tr -s " "; touch written && ls; exit 3',
    );
    const container = await start(kind, given);
    const output = await lines(container);
    expect(output.slice(0, 6)).toEqual(["from the image", "train yes request unset", "algo-1", "out", "err", "again"]);
    expect(output[6]).toMatch(/^127\.\d+\.\d+\.\d+ algo-2$/);
    expect(output.slice(7)).toEqual(["hello.txt", "written"]);
    expect(await container.wait()).toEqual({ exitCode: 3 });
    expect(await readFile(join(given.mlDir, "result"), "utf8")).toBe("model\n");
    // What it wrote beside /opt/ml stays with the container.
    await expect(readFile(join(unpacked, "opt/slipway/code/written"))).rejects.toThrow("ENOENT");
  });

  test("SIGTERM reaches the payload, SIGKILL ends what ignores it", async () => {
    const polite = await start(kind, await spec('trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.05; done'));
    const reading = lines(polite);
    expect(await firstLine(polite)).toBe("up");
    await polite.signal("SIGTERM");
    expect(await polite.wait()).toEqual({ exitCode: 7 });
    // The whole group is signalled; the shell may say that its sleep was.
    expect((await reading).filter((line) => line !== "Terminated")).toEqual(["up", "bye"]);

    const deaf = await start(kind, await spec('trap "" TERM; echo up; while :; do sleep 0.05; done'));
    expect(await firstLine(deaf)).toBe("up");
    await deaf.signal("SIGTERM");
    await deaf.signal("SIGKILL");
    expect(await deaf.wait()).toEqual({ exitCode: 137 });
  });

  test("SIGTERM that comes before there is a payload is kept for it", async () => {
    for (let round = 0; round < 12; round++) {
      const container = await start(kind, await spec("sleep 600"));
      if (round % 3 > 0) await setTimeout(round * 3);
      await container.signal("SIGTERM");
      expect(await container.wait()).toEqual({ exitCode: 143 });
    }
  });

  test("is found again by another runtime object, with its whole output", async () => {
    const given = await spec("echo one; while [ ! -e /opt/ml/go ]; do sleep 0.05; done; echo two");
    await start(kind, given);
    const again = await runtime(kind).reattach(given);
    expect(again).toBeDefined();
    const reading = lines(again!);
    await writeFile(join(given.mlDir, "go"), "");
    expect(await again!.wait()).toEqual({ exitCode: 0 });
    expect(await reading).toEqual(["one", "two"]);
    const never = await spec("true");
    expect(await runtime(kind).reattach(never)).toBeUndefined();
  });

  test("mounts directories read-only", async () => {
    const given = await spec("touch /opt/ml/input/x 2>/dev/null || echo refused; cat /opt/ml/input/a");
    const input = join(given.mlDir, "input");
    await mkdir(input);
    await writeFile(join(input, "a"), "data\n");
    const mounts = [{ source: input, target: "/opt/ml/input", readOnly: true }];
    const container = await start(kind, { ...given, mounts });
    expect(await lines(container)).toEqual(["refused", "data"]);
  });
});

test.each(["bubblewrap", "unshare"] as const)(
  "%s: an image with a root of its own sees nothing of the machine's files",
  async (kind) => {
    const root = join(directory, `root-${kind}`);
    // The smallest root there is here: a shell and the libraries it names.
    const { stdout } = await promisify(execFile)("ldd", ["/bin/sh"]);
    const libraries = stdout.match(/\/\S+/g) ?? [];
    for (const file of ["/bin/sh", ...libraries]) {
      await mkdir(join(root, dirname(file)), { recursive: true });
      await copyFile(file, join(root, file));
    }
    await mkdir(join(root, "work"));
    const own = createProcessRuntime({
      images: { unpack: async () => root },
      logger,
      searchPath: SEARCH_PATH,
      hidden: [],
      sandbox: kind,
    });
    const given = await spec("", {
      image: {
        ...image(),
        labels: {},
        config: {
          Entrypoint: ["/bin/sh", "-c", 'echo "$PWD $HOME $0"; echo /*; echo m > /opt/ml/m; echo x > /work/x'],
          WorkingDir: "/work",
        },
      },
    });
    const { entrypoint: _none, ...withoutEntrypoint } = given;
    const container = await own.start(withoutEntrypoint);
    started.push(container);
    const output = await lines(container);
    expect(output[0]).toBe("/work /root train");
    const seen = new Set(output[1]!.split(" "));
    for (const name of ["/home", "/root", "/usr", "/var"])
      expect(seen.has(name) && !(await exists(join(root, name)))).toBe(false);
    expect(await container.wait()).toEqual({ exitCode: 0 });
    expect(await readFile(join(given.mlDir, "m"), "utf8")).toBe("m\n");
    expect(await exists(join(root, "work/x"))).toBe(false);
  },
);

test("a program that is not there ends with 127 and says so", async () => {
  const container = await start("bubblewrap", await spec("", { entrypoint: ["no-such-program"] }));
  expect(await lines(container)).toEqual(['exec: "no-such-program": executable file not found in $PATH']);
  expect(await container.wait()).toEqual({ exitCode: 127 });
});

test("an isolated job reaches no network but its own", async () => {
  const given = await spec("cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '", { networkIsolation: true });
  expect(await lines(await start("bubblewrap", given))).toEqual(["lo"]);
});

test("the hosts of an isolated job reach each other", async () => {
  const serve = "import socket; s = socket.create_server(('algo-1', 9000)); print(s.accept()[0].recv(9).decode())";
  const call =
    "import socket, time\nfor _ in range(600):\n  try: socket.create_connection(('algo-1', 9000), 5).send(b'hello'); break\n  except OSError as error: last = error; time.sleep(0.05)\nelse: raise SystemExit(f'{last}')";
  const host = (name: string, script: string) =>
    spec("", {
      host: name,
      jobName: "isolated",
      networkIsolation: true,
      entrypoint: ["/usr/bin/python3", "-c", script],
    });
  const isolated = runtime("bubblewrap");
  const first = await isolated.start(await host("algo-1", serve));
  const second = await isolated.start(await host("algo-2", call));
  started.push(first, second);
  const said = lines(second);
  expect({ ...(await second.wait()), said: await said }).toEqual({ exitCode: 0, said: [] });
  expect(await lines(first)).toEqual(["hello"]);
});

test("without a sandbox the error names the package", async () => {
  const bare = createProcessRuntime({
    images: { unpack: async () => unpacked },
    logger,
    searchPath: "/nonexistent",
    hidden: [],
    sandbox: "bubblewrap",
  });
  expect(await bare.available()).toBe(false);
  await expect(bare.start(await spec("true"))).rejects.toMatchObject({
    code: "NO_SANDBOX",
    hint: expect.stringContaining("apt-get install bubblewrap"),
  });
});
