import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { processStartTime } from "./process-identity.ts";

/** `network.json` of a host: the process that holds the job's network open. */
export interface NetworkFile {
  readonly pid: number;
  readonly startTime: string;
}

/** The networks of isolated jobs of several hosts: one network namespace a job, with nothing in it but the loopback interface. */
export interface JobNetworks {
  /** The holder of a job's namespace, started when there is none; noted in the host's state directory, so that a later process can end it. */
  join(jobName: string, stateDir: string): Promise<NetworkFile>;
}

/** Needs root: joining another process's network namespace does. */
export function createJobNetworks(bwrap: () => Promise<string | undefined>): JobNetworks {
  const holders = new Map<string, Promise<NetworkFile>>();
  const isAlive = ({ pid, startTime }: NetworkFile) => processStartTime(pid) === startTime;

  const hold = async (): Promise<NetworkFile> => {
    const program = await bwrap();
    if (program === undefined) throw new Error("bubblewrap is gone");
    // bubblewrap brings the loopback interface up; `sleep` keeps the namespace until the job's containers are removed.
    const child = spawn(program, ["--unshare-net", "--ro-bind", "/", "/", "--info-fd", "3", "sleep", "infinity"], {
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "pipe"],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    });
    child.unref();
    const info = child.stdio[3]!;
    const pid = await new Promise<number>((resolve, reject) => {
      let text = "";
      child.on("error", reject);
      child.on("exit", () => reject(new Error("the job's network could not be made")));
      info.on("data", (data: Buffer) => {
        text += data.toString();
        const found = /"child-pid":\s*(\d+)/.exec(text);
        // bubblewrap writes the document in pieces and dies of a closed pipe, with its namespace: read it to its end.
        if (found !== null && text.trimEnd().endsWith("}")) resolve(Number(found[1]));
      });
    });
    info.destroy();
    return { pid, startTime: processStartTime(pid) ?? "" };
  };

  return {
    async join(jobName, stateDir) {
      const known = await holders.get(jobName)?.catch(() => undefined);
      if (known === undefined || !isAlive(known)) holders.set(jobName, hold());
      const holder = await holders.get(jobName)!;
      await writeFile(join(stateDir, "network.json"), JSON.stringify(holder), { mode: 0o600 });
      return holder;
    },
  };
}

/** Ends the holder; the namespace lasts until the last process in it has ended. */
export function releaseNetwork(holder: NetworkFile): void {
  if (processStartTime(holder.pid) === holder.startTime) process.kill(holder.pid, "SIGKILL");
}
