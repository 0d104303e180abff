/** An address as its bits: 32 for IPv4, 128 for IPv6. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** Addresses that share their first `prefix` bits. */
export interface IpRange extends Address {
  readonly prefix: number;
}

/** `203.0.113.0/24`, `2001:db8::/32`, or a single address. Undefined for anything else. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const parsed = parseAddress(address);
  if (parsed === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { ...parsed, prefix: parsed.bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > parsed.bits) return undefined;
  return { ...parsed, prefix: Number(length) };
}

/** Whether an address lies in a range; false for a text that is no address. */
export function isInRange(address: string, range: IpRange): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.bits !== range.bits) return false;
  const shift = BigInt(range.bits - range.prefix);
  return parsed.value >> shift === range.value >> shift;
}

function parseAddress(text: string): Address | undefined {
  if (text.includes(":")) return parseIpv6(text);
  const value = parseIpv4(text);
  return value === undefined ? undefined : { bits: 32, value };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): Address | undefined {
  let rest = text;
  // The last 32 bits may be written as an IPv4 address.
  const tail = /^(.*:)([^:]*\.[^:]*)$/.exec(text);
  if (tail !== null) {
    const ipv4 = parseIpv4(tail[2]!);
    if (ipv4 === undefined) return undefined;
    rest = `${tail[1]}${(ipv4 >> 16n).toString(16)}:${(ipv4 & 0xffffn).toString(16)}`;
  }
  const halves = rest.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const given = groups.flat();
  if (given.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const missing = 8 - given.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...groups[0]!, ...Array<string>(missing).fill("0"), ...(groups[1] ?? [])];
  return { bits: 128, value: all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n) };
}
