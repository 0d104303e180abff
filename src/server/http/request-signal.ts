/**
 * A signal for one request: aborted when its client goes or the server closes. `release` must be called at the end.
 * Made when it is first asked for: most requests end before anyone could wait for them, and a signal costs Node 20 a
 * tenth of a millisecond. Not AbortSignal.any: there every signal made by it leaves an entry in the long-lived one.
 */
export function requestSignal(
  client: () => AbortSignal,
  closing: AbortSignal,
): { readonly signal: AbortSignal; release(): void } {
  let made: { readonly signal: AbortSignal; release(): void } | undefined;
  return {
    get signal() {
      made ??= linked(client(), closing);
      return made.signal;
    },
    release: () => made?.release(),
  };
}

function linked(client: AbortSignal, closing: AbortSignal): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const gone = () => controller.abort(client.reason);
  const closed = () => controller.abort(closing.reason);
  if (client.aborted) gone();
  if (closing.aborted) closed();
  client.addEventListener("abort", gone, { once: true });
  closing.addEventListener("abort", closed, { once: true });
  return {
    signal: controller.signal,
    release() {
      client.removeEventListener("abort", gone);
      closing.removeEventListener("abort", closed);
    },
  };
}
