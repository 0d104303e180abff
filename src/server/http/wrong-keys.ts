import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";

/** Keeps count of unknown API keys by the address that they came from, so that keys can't be tried out at speed. */
export interface WrongKeys {
  /** How long the address must wait before this key is looked up, in seconds; 0: now. */
  waitSeconds(address: string, key: string): number;
  wrong(address: string): void;
  good(address: string, key: string): void;
}

const WINDOW_MS = 60_000;
/** Beyond so many, the ones heard of longest ago are forgotten: memory is not an attacker's to take. */
const KEPT = 10_000;

/**
 * At most `perMinute` unknown keys are looked up for one address within a minute. A key that was good from that address is let
 * through all the same: many people may sit behind one proxy, and one of them may have an old key. It is kept in this process's
 * memory, so several server processes allow as many times as much.
 */
export function createWrongKeys(clock: Clock, perMinute: number): WrongKeys {
  const counts = new Map<string, { since: number; wrong: number }>();
  const known = new Map<string, true>();
  // Keys themselves stay in no list.
  const nameOf = (address: string, key: string) => createHash("sha256").update(`${address} ${key}`).digest("base64");

  function current(address: string): { since: number; wrong: number } {
    const count = counts.get(address);
    return count && clock.now() - count.since < WINDOW_MS ? count : { since: clock.now(), wrong: 0 };
  }

  return {
    waitSeconds(address, key) {
      const { since, wrong } = current(address);
      if (wrong < perMinute || known.has(nameOf(address, key))) return 0;
      return Math.max(1, Math.ceil((since + WINDOW_MS - clock.now()) / 1000));
    },
    wrong(address) {
      const { since, wrong } = current(address);
      keep(counts, address, { since, wrong: wrong + 1 });
    },
    good(address, key) {
      keep(known, nameOf(address, key), true);
    },
  };
}

function keep<V>(map: Map<string, V>, name: string, value: V): void {
  map.delete(name);
  map.set(name, value);
  if (map.size > KEPT) map.delete(map.keys().next().value ?? "");
}
