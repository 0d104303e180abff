/**
 * A signal for one request: aborted when its client goes or the server closes. `release` must be called at the end.
 * Not AbortSignal.any: on Node 20 every signal made by it leaves an entry in the long-lived one.
 */
export function requestSignal(client: AbortSignal, closing: AbortSignal): { signal: AbortSignal; release(): void } {
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
