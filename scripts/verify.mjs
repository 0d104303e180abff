#!/usr/bin/env node
// Everything that must hold before a change lands: installs what the tests need, then check, build and test.
// Plain JavaScript, since it runs before `npm ci`.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const root = new URL("..", import.meta.url).pathname;

/** Debian package -> a file that shows it is there. */
const packages = {
  postgresql: ["/usr/lib/postgresql"],
  "docker.io": ["/usr/sbin/dockerd"],
  "docker-registry": ["/usr/bin/docker-registry"],
  skopeo: ["/usr/bin/skopeo"],
  bubblewrap: ["/usr/bin/bwrap"],
  iptables: ["/usr/sbin/iptables", "/sbin/iptables"],
  "busybox-static": ["/bin/busybox", "/usr/bin/busybox"],
  git: ["/usr/bin/git"],
  openssl: ["/usr/bin/openssl"],
  zstd: ["/usr/bin/zstd"],
};

function step(name, run) {
  const startedAt = Date.now();
  console.log(`\n== ${name}`);
  run();
  console.log(`== ${name}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

function sh(command, args, env = {}) {
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`\nverify: ${[command, ...args].join(" ")} ended with ${signal ?? `exit code ${status}`}`);
    process.exit(status ?? 1);
  }
}

function onPath(name) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));
}

function installSystemPackages() {
  const missing = Object.entries(packages)
    .filter(([, files]) => !files.some((file) => existsSync(file)))
    .map(([name]) => name);
  if (!onPath("python3")) missing.push("python3", "python3-venv", "python3-pip");
  if (missing.length === 0) return console.log("all there");
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const debian = existsSync("/etc/debian_version");
  if (!debian || process.getuid?.() !== 0) {
    console.error(`The tests need: ${missing.join(", ")}.`);
    console.error(
      debian
        ? `Run as root:  apt-get update && ${command}`
        : "Install them with your system's package manager (names as in Debian).",
    );
    process.exit(4);
  }
  sh("apt-get", ["update", "-qq"], { DEBIAN_FRONTEND: "noninteractive" });
  sh("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { DEBIAN_FRONTEND: "noninteractive" });
}

function installNodePackages() {
  const lock = join(root, "package-lock.json");
  const installed = join(root, "node_modules", ".package-lock.json");
  const current =
    existsSync(installed) && sameDependencies(readFileSync(lock, "utf8"), readFileSync(installed, "utf8"));
  if (current) return console.log("node_modules is current");
  sh("npm", ["ci", "--no-audit", "--no-fund"]);
}

/** npm's own record of what it installed leaves out packages of other platforms, so only what it has is compared. */
function sameDependencies(lockText, installedText) {
  const locked = JSON.parse(lockText).packages;
  const installed = JSON.parse(installedText).packages;
  const required = Object.entries(locked).filter(([path, entry]) => path !== "" && !entry.optional);
  return (
    required.every(([path, entry]) => installed[path]?.version === entry.version) &&
    Object.entries(installed).every(([path, entry]) => locked[path]?.version === entry.version)
  );
}

execFileSync(process.execPath, ["-e", "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)"]);
step("system packages", installSystemPackages);
step("npm packages", installNodePackages);
step("build", () => sh("npm", ["run", "--silent", "build"]));
step("check", () => sh("npm", ["run", "--silent", "check"]));
step("test", () => sh("npm", ["run", "--silent", "test"]));
console.log("\nverify: everything holds");
