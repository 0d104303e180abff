import type { Clock } from "../core/clock.ts";

/** Bytes of randomness from a good source. */
export type RandomBytes = (bytes: number) => Uint8Array;

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** Makes row ids: they sort by the time of their making, in order within this process, and can't be guessed. */
export type NewId = () => string;

/**
 * 9 characters of milliseconds (base 36, good to the year 5188), 4 of a counter within the millisecond, 12 of randomness
 * (62 bits).
 */
export function createIds(clock: Clock, random: RandomBytes): NewId {
  let last = 0;
  let counter = 0;
  return () => {
    const now = Math.max(clock.now(), last);
    counter = now === last ? counter + 1 : 0;
    last = now;
    return now.toString(36).padStart(9, "0") + counter.toString(36).padStart(4, "0") + randomText(random, 12);
  };
}

/** Lower-case letters and digits, `length` of them, each of the 36 equally likely. */
export function randomText(random: RandomBytes, length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of random(length * 2)) {
      // 252 = 7 * 36: beyond it the first letters would be likelier.
      if (byte < 252 && text.length < length) text += DIGITS[byte % 36];
    }
  }
  return text;
}
