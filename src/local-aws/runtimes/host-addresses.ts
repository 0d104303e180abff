import { createHash } from "node:crypto";
import type { ContainerSpec } from "./runtime.ts";

/** Every host of a job that shares the machine's network has a loopback address of its own, derived from the job's name so that jobs rarely meet. */
export function hostAddresses(spec: Pick<ContainerSpec, "jobName" | "hosts">): { host: string; address: string }[] {
  const hash = createHash("sha256").update(spec.jobName).digest();
  const prefix = `127.${16 + (hash[0]! % 224)}`;
  const base = hash.readUInt16BE(1) % 0x8000;
  return spec.hosts.map((host, index) => {
    const number = base + index + 1;
    return { host, address: `${prefix}.${(number >> 8) & 255}.${number & 255}` };
  });
}
