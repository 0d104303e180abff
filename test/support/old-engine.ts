import { createServer, request } from "node:http";

export interface OldEngine {
  /** `tcp://127.0.0.1:PORT` */
  readonly host: string;
  close(): Promise<void>;
}

/** A Docker engine as it answered before 20.10, at tcp://: every request goes to the one at `unix://...`, only the version it tells is older. */
export async function startOldEngine(host: string): Promise<OldEngine> {
  const socketPath = host.slice("unix://".length);
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request({ socketPath, method, path: url, headers }, (answer) => {
      if (url === "/_ping") answer.headers["api-version"] = "1.40";
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `tcp://127.0.0.1:${(server.address() as { port: number }).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
