import { SlipwayError } from "../core/errors/slipway-error.ts";
import { runCommand } from "./command.ts";
import { formatPlatform, type Platform } from "./oci.ts";

/** The Python that the packages are for. */
export interface PythonTarget {
  /** `host`: this machine's own Python, whatever it can build; else wheels only. */
  readonly kind: "host" | "image";
  /** `3.11` */
  readonly version: string;
  readonly platform: Platform;
  /** Everything that decides which wheels fit: part of a dependency layer's key. */
  readonly identity: string;
  /** pip's platform tags, best first; none for the host. */
  readonly tags: readonly string[];
  /** uv's --python-platform; undefined for the host. */
  readonly uvPlatform: string | undefined;
}

/** The C library of a base image: wheels are made for one of the two. */
export type Libc = { readonly kind: "glibc"; readonly minor: number } | { readonly kind: "musl" };

/** Newest glibc whose wheels are asked for: 2.28 is in every distribution that is still supported (RHEL 8, Debian 10 on). */
export const DEFAULT_LIBC: Libc = { kind: "glibc", minor: 28 };

const MACHINES = {
  amd64: { pip: "x86_64", legacy: ["manylinux2014", "manylinux2010", "manylinux1"] },
  arm64: { pip: "aarch64", legacy: ["manylinux2014"] },
} as const;

/** The target for a base image (tags: PEP 600 and PEP 656). */
export function imagePython(version: string, platform: Platform, libc: Libc): PythonTarget {
  const { pip, legacy } = MACHINES[platform.architecture];
  const tags: string[] = [];
  if (libc.kind === "musl") {
    for (const minor of [2, 1]) tags.push(`musllinux_1_${minor}_${pip}`);
  } else {
    for (let minor = libc.minor; minor >= (pip === "x86_64" ? 5 : 17); minor -= 1) {
      tags.push(`manylinux_2_${minor}_${pip}`);
      // The old names stand for glibc 2.17, 2.12 and 2.5.
      if (minor === 17) tags.push(`${legacy[0]}_${pip}`);
      if (minor === 12 && legacy[1] !== undefined) tags.push(`${legacy[1]}_${pip}`);
      if (minor === 5 && legacy[2] !== undefined) tags.push(`${legacy[2]}_${pip}`);
    }
  }
  tags.push(`linux_${pip}`);
  const uvPlatform =
    libc.kind === "musl"
      ? `${pip}-unknown-linux-musl`
      : `${pip}-manylinux_2_${[17, 28, 31, 34].findLast((minor) => minor <= Math.max(17, libc.minor))}`;
  return { kind: "image", version, platform, identity: `cp${version}-${tags[0]}`, tags, uvPlatform };
}

const TELL = `import json, platform, sys, sysconfig
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "implementation": sys.implementation.name,
  "platform": sysconfig.get_platform(), "libc": "-".join(platform.libc_ver())}))`;

/** The target that is this machine's own Python. Errors: PYTHON_INSTALLER_MISSING, IMAGE_PLATFORM_MISSING. */
export async function hostPython(python: string, platform: Platform, signal?: AbortSignal): Promise<PythonTarget> {
  const result = await runCommand(python, ["-I", "-c", TELL], signal === undefined ? {} : { signal });
  if (result.status !== 0) {
    throw new SlipwayError("PYTHON_INSTALLER_MISSING", { values: { command: python, file: "the requirements" } });
  }
  const told = JSON.parse(result.stdout) as {
    version: string;
    implementation: string;
    platform: string;
    libc: string;
  };
  const own = { os: "linux", architecture: told.platform.endsWith("aarch64") ? "arm64" : "amd64" };
  if (own.architecture !== platform.architecture) {
    throw new SlipwayError("IMAGE_PLATFORM_MISSING", {
      values: { image: "host", platform: formatPlatform(platform), available: formatPlatform(own) },
    });
  }
  const identity = `host-${told.implementation}${told.version}-${told.platform}-${told.libc}`;
  return { kind: "host", version: told.version, platform, identity, tags: [], uvPlatform: undefined };
}
