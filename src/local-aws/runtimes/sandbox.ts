import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** What a sandbox is made of, all paths of the machine. */
export interface SandboxSpec {
  readonly hostname: string;
  /** `host`: the machine's own root, read-only, with `slipwayDir` as /opt/slipway. `image`: a root of its own, writable for this container alone. */
  readonly root: { readonly kind: "host" | "image"; readonly unpacked: string };
  readonly mlDir: string;
  readonly hostsFile: string;
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[];
  /** Empty directories for the writable layer over the unpacked image. */
  readonly upperDir: string;
  readonly mergedDir: string;
  readonly workingDir: string;
  readonly networkIsolation: boolean;
  /** Directories of the machine that a job on the machine's own root must not read (the state and keys of the local AWS). */
  readonly hidden: readonly string[];
  /** Names under the machine's /opt, which a job on the machine's own root keeps. */
  readonly hostOpt: readonly string[];
  readonly asRoot: boolean;
}

export interface SandboxCommand {
  readonly command: readonly string[];
  /** Options for bubblewrap's --args, one a line. */
  readonly options?: readonly string[];
}

/** What Docker leaves a container's root user, less what only Docker's own network needs. */
const CAPABILITIES =
  "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT AUDIT_WRITE SETFCAP".split(
    " ",
  );

// The writable layer lies on the data directory's file system; where that cannot carry one (overlayfs on overlayfs), in memory.
const OVERLAY = `layer() { mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$3"; }
mkdir -p "$UPPER/upper" "$UPPER/work"
layer "$LOWER" "$UPPER_OPTION" "$MERGED" 2>/dev/null || { mount -t tmpfs tmpfs "$UPPER" && mkdir "$UPPER/upper" "$UPPER/work" && layer "$LOWER" "$UPPER_OPTION" "$MERGED"; } || exit 125
`;

const TOOL_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function overlayScript(spec: SandboxSpec): string {
  return [
    TOOL_PATH,
    `LOWER=${quote(overlayPath(spec.root.unpacked))}`,
    `UPPER=${quote(spec.upperDir)}`,
    `UPPER_OPTION=${quote(overlayPath(spec.upperDir))}`,
    `MERGED=${quote(spec.mergedDir)}`,
    OVERLAY,
  ].join("\n");
}

/**
 * The command line of a bubblewrap container: own mounts, processes, host name and IPC. The payload follows `command`.
 * `env` goes into the option file and so never onto a command line.
 */
export function bubblewrapCommand(
  spec: SandboxSpec,
  bwrap: string,
  env: Readonly<Record<string, string>>,
): SandboxCommand {
  const options: string[] = ["--unshare-pid", "--unshare-uts", "--unshare-ipc", "--hostname", spec.hostname];
  options.push("--die-with-parent", "--new-session", "--info-fd", "4");
  if (spec.networkIsolation) options.push("--unshare-net");
  if (spec.root.kind === "host") {
    options.push("--ro-bind", "/", "/", "--tmpfs", "/tmp", "--tmpfs", "/run");
    options.push("--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve", "--tmpfs", "/opt");
    for (const name of spec.hostOpt) options.push("--ro-bind", `/opt/${name}`, `/opt/${name}`);
    options.push("--bind", join(spec.mergedDir, "opt/slipway"), "/opt/slipway");
    for (const path of spec.hidden) if (!/^\/(tmp|run)(\/|$)/.test(path)) options.push("--tmpfs", path);
  } else {
    options.push("--bind", spec.mergedDir, "/", "--ro-bind", "/sys", "/sys");
    options.push("--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");
  }
  options.push("--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm", "--proc", "/proc");
  options.push("--bind", spec.mlDir, "/opt/ml", "--ro-bind", spec.hostsFile, "/etc/hosts");
  for (const mount of spec.mounts) options.push(mount.readOnly ? "--ro-bind" : "--bind", mount.source, mount.target);
  options.push("--chdir", spec.workingDir);
  if (spec.asRoot) {
    options.push("--cap-drop", "ALL");
    for (const name of CAPABILITIES) options.push("--cap-add", `CAP_${name}`);
  }
  options.push("--clearenv");
  for (const [name, value] of Object.entries(env)) options.push("--setenv", name, value);
  const script = `${overlayScript(spec)}exec ${quote(bwrap)} --args 3 -- "$@"`;
  const unshare = ["unshare", ...(spec.asRoot ? [] : ["-Ur"]), "-m", "--propagation", "private"];
  return { command: [...unshare, "/bin/sh", "-c", script, "sh"], options };
}

/**
 * The same by util-linux's unshare alone, for machines without bubblewrap. The payload gets a process group of its own.
 * The environment is given by the caller to the whole command; the script puts its PATH back before the payload starts.
 */
export function unshareCommand(spec: SandboxSpec): SandboxCommand {
  const lines = ["PAYLOAD_PATH=$PATH", overlayScript(spec), `hostname ${quote(spec.hostname)}`];
  const merged = quote(spec.mergedDir);
  if (spec.root.kind === "host") {
    lines.push("mount -t tmpfs tmpfs /run", `SAVED=/run/slipway-opt; mkdir -p $SAVED && mount --rbind /opt $SAVED`);
    lines.push("mount -t tmpfs tmpfs /opt", "mkdir /opt/slipway /opt/ml");
    for (const name of spec.hostOpt) {
      const path = quote(name);
      lines.push(
        `if [ -d $SAVED/${path} ]; then mkdir /opt/${path}; else : > /opt/${path}; fi; mount --rbind $SAVED/${path} /opt/${path}`,
      );
    }
    lines.push(`mount --bind ${merged}/opt/slipway /opt/slipway`, `mount --bind ${quote(spec.mlDir)} /opt/ml`);
    lines.push(`mount --bind ${quote(spec.hostsFile)} /etc/hosts`, "mount -t tmpfs tmpfs /tmp");
    for (const path of spec.hidden)
      if (!/^\/(tmp|run)(\/|$)/.test(path)) lines.push(`mount -t tmpfs tmpfs ${quote(path)}`);
  } else {
    lines.push(`mkdir -p ${merged}/opt/ml ${merged}/proc ${merged}/dev ${merged}/sys ${merged}/etc`);
    lines.push(`[ -e ${merged}/etc/hosts ] || : > ${merged}/etc/hosts`);
    lines.push(
      `mount --bind ${quote(spec.mlDir)} ${merged}/opt/ml`,
      `mount --bind ${quote(spec.hostsFile)} ${merged}/etc/hosts`,
    );
    lines.push(
      `[ -e /etc/resolv.conf ] && { [ -e ${merged}/etc/resolv.conf ] || : > ${merged}/etc/resolv.conf; mount --bind /etc/resolv.conf ${merged}/etc/resolv.conf; }`,
    );
    lines.push(
      `mount --rbind /dev ${merged}/dev`,
      `mount -t proc proc ${merged}/proc`,
      `mount --rbind /sys ${merged}/sys`,
    );
  }
  const root = spec.root.kind === "host" ? "" : spec.mergedDir;
  const mounts = spec.mounts.map(({ source, target, readOnly }) => {
    const place = quote(root + target);
    const bind = `mkdir -p ${place} && mount --bind ${quote(source)} ${place}`;
    return readOnly ? `${bind} && mount -o remount,ro,bind ${place}` : bind;
  });
  // Before /tmp and the state are covered, which hides what is mounted from there.
  const cover = lines.findIndex((line) => line.endsWith(" /tmp"));
  lines.splice(cover < 0 ? lines.length : cover, 0, ...mounts);
  const enter = `${spec.root.kind === "host" ? "--wd=" : `--root=${spec.mergedDir}\n--wd=`}${spec.workingDir}`
    .split("\n")
    .map(quote)
    .join(" ");
  lines.push("UNSHARE=$(command -v unshare); SETSID=$(command -v setsid)", "PATH=$PAYLOAD_PATH");
  lines.push(`unset PAYLOAD_PATH; "$SETSID" "$UNSHARE" ${enter} "$@" &`, "wait $!");
  const flags = [...(spec.asRoot ? [] : ["-Ur"]), "-m", "-u", "-i", "-p", "-f", "--kill-child", "--mount-proc"];
  if (spec.networkIsolation) flags.push("-n");
  return { command: ["unshare", ...flags, "--propagation", "private", "/bin/sh", "-c", lines.join("\n"), "sh"] };
}

/** The full path of a program on a search path; undefined when there is none. */
export async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, name);
    if (
      directory.startsWith("/") &&
      (await access(path, 1).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A path as overlayfs reads it in its options: `\`, `,` and `:` are special there (kernel's Documentation/filesystems/overlayfs). */
function overlayPath(path: string): string {
  return path.replace(/[\\,:]/g, (mark) => `\\${mark}`);
}
