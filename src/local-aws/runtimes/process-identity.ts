import { readFileSync } from "node:fs";

/**
 * What tells a process from a later one with the same pid: its start time in clock ticks since boot (field 22 of
 * /proc/PID/stat, man 5 proc) and the boot it belongs to. Undefined when no such process runs (a zombie does not).
 */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return undefined;
  }
}
