/** Keeps a part running until SIGINT or SIGTERM, closes it in order, and lets the process end. A second signal ends it at once. */
export async function runUntilSignal(part: { close(): Promise<void>; closed?: Promise<void> }): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve();
      });
    }
  });
  await Promise.race([signalled, part.closed ?? new Promise<void>(() => {})]);
  await part.close();
  // A socket that a peer keeps open must not hold up the end of a closed part.
  setTimeout(() => process.exit(process.exitCode ?? 0), 1_000).unref();
}
