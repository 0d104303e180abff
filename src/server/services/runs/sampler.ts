/** Takes some of a series whose length nobody knows beforehand, spread evenly, its first and its last among them. */
export interface Sampler<T> {
  add(value: T): void;
  /** At most `wanted` of them, in order. */
  take(): T[];
}

/** A series that is no longer is spread exactly. */
const EXACT = 4_096;

/** Keeps a bounded number, however many come: every time it is full, every other one goes. */
export function createSampler<T>(wanted: number): Sampler<T> {
  const room = Math.max(EXACT, 2 * wanted + 2);
  let kept: T[] = [];
  let every = 1;
  let seen = 0;
  let last: T | undefined;
  return {
    add(value) {
      if (seen % every === 0) {
        kept.push(value);
        if (kept.length >= room) {
          kept = kept.filter((_, place) => place % 2 === 0);
          every *= 2;
        }
      }
      last = value;
      seen++;
    },
    take() {
      if (seen === 0) return [];
      // The last one was kept by the rhythm only if it fell on it.
      const all = (seen - 1) % every === 0 ? kept : [...kept, last as T];
      if (all.length <= wanted) return all;
      if (wanted === 1) return [all[0] as T];
      return Array.from({ length: wanted }, (_, i) => all[Math.round((i * (all.length - 1)) / (wanted - 1))] as T);
    },
  };
}
