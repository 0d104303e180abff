import { crc32 as zlibCrc32 } from "node:zlib";

/** A running CRC. `digest` is big-endian, as S3 writes checksums. */
export interface RunningCrc {
  update(data: Uint8Array): void;
  digest(): Buffer;
}

/** Reflected polynomials. CRC32 is that of zlib, CRC32C Castagnoli's, CRC64NVME that of the NVM Express specification. */
const POLYNOMIALS = {
  CRC32: { bits: 32, polynomial: 0xedb88320n },
  CRC32C: { bits: 32, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64, polynomial: 0x9a6c9329ac4bc9b5n },
} as const;

export type CrcName = keyof typeof POLYNOMIALS;

export function createCrc(name: CrcName): RunningCrc {
  if (name === "CRC32") return createZlibCrc();
  return name === "CRC32C" ? createCrc32c() : createCrc64();
}

function createZlibCrc(): RunningCrc {
  let value = 0;
  return {
    update: (data) => {
      value = zlibCrc32(data, value);
    },
    digest: () => uint32(value),
  };
}

/** Eight tables, so that eight bytes are taken at a time: table k holds the CRC of a byte followed by k zero bytes. */
function slicingTables(bits: 32 | 64, polynomial: bigint): bigint[][] {
  const first = Array.from({ length: 256 }, (_, byte) => {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    return BigInt.asUintN(bits, crc);
  });
  const tables = [first];
  for (let k = 1; k < 8; k++) {
    tables.push(tables[k - 1]!.map((crc) => (crc >> 8n) ^ first[Number(crc & 0xffn)]!));
  }
  return tables;
}

/** One flat table: entry `k * 256 + byte`. */
function flat(tables: readonly bigint[][], shift: bigint): Int32Array {
  return Int32Array.from(tables.flat().map((value) => Number(BigInt.asIntN(32, value >> shift))));
}

let table32c: Int32Array | undefined;

function createCrc32c(): RunningCrc {
  table32c ??= flat(slicingTables(32, POLYNOMIALS.CRC32C.polynomial), 0n);
  const t = table32c;
  let crc = ~0;
  return {
    update: (data) => {
      const end = data.length - (data.length % 8);
      let i = 0;
      for (; i < end; i += 8) {
        const a = crc ^ (data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24));
        crc =
          t[1792 + (a & 255)]! ^
          t[1536 + ((a >>> 8) & 255)]! ^
          t[1280 + ((a >>> 16) & 255)]! ^
          t[1024 + (a >>> 24)]! ^
          t[768 + data[i + 4]!]! ^
          t[512 + data[i + 5]!]! ^
          t[256 + data[i + 6]!]! ^
          t[data[i + 7]!]!;
      }
      for (; i < data.length; i++) crc = (crc >>> 8) ^ t[(crc ^ data[i]!) & 255]!;
    },
    digest: () => uint32(~crc),
  };
}

let tables64: { low: Int32Array; high: Int32Array } | undefined;

/** The 64 bits are kept as two halves of 32: JavaScript's BigInt would be fifty times slower. */
function createCrc64(): RunningCrc {
  if (tables64 === undefined) {
    const tables = slicingTables(64, POLYNOMIALS.CRC64NVME.polynomial);
    tables64 = { low: flat(tables, 0n), high: flat(tables, 32n) };
  }
  const { low: l, high: h } = tables64;
  let low = ~0;
  let high = ~0;
  return {
    update: (data) => {
      const end = data.length - (data.length % 8);
      let i = 0;
      for (; i < end; i += 8) {
        const a = low ^ (data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24));
        const b = high ^ (data[i + 4]! | (data[i + 5]! << 8) | (data[i + 6]! << 16) | (data[i + 7]! << 24));
        const i7 = 1792 + (a & 255);
        const i6 = 1536 + ((a >>> 8) & 255);
        const i5 = 1280 + ((a >>> 16) & 255);
        const i4 = 1024 + (a >>> 24);
        const i3 = 768 + (b & 255);
        const i2 = 512 + ((b >>> 8) & 255);
        const i1 = 256 + ((b >>> 16) & 255);
        const i0 = b >>> 24;
        low = l[i7]! ^ l[i6]! ^ l[i5]! ^ l[i4]! ^ l[i3]! ^ l[i2]! ^ l[i1]! ^ l[i0]!;
        high = h[i7]! ^ h[i6]! ^ h[i5]! ^ h[i4]! ^ h[i3]! ^ h[i2]! ^ h[i1]! ^ h[i0]!;
      }
      for (; i < data.length; i++) {
        const index = (low ^ data[i]!) & 255;
        low = ((low >>> 8) | (high << 24)) ^ l[index]!;
        high = (high >>> 8) ^ h[index]!;
      }
    },
    digest: () => Buffer.concat([uint32(~high), uint32(~low)]),
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/**
 * The CRC of two pieces of data put together, from the CRC of each and the length of the second in bytes: the first is
 * multiplied by x^(8 * length) modulo the polynomial.
 */
export function combineCrcs(name: CrcName, first: Buffer, second: Buffer, secondLength: number): Buffer {
  const { bits, polynomial } = POLYNOMIALS[name];
  const top = 1n << BigInt(bits - 1);
  const multiply = (a: bigint, b: bigint): bigint => {
    let product = 0n;
    let factor = b;
    for (let mask = top; mask > 0n; mask >>= 1n) {
      if (a & mask) product ^= factor;
      factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
    }
    return product;
  };
  let power = top >> 1n; // x^1, in reflected order
  let shift = top; // x^0
  for (let n = BigInt(secondLength) * 8n; n > 0n; n >>= 1n) {
    if (n & 1n) shift = multiply(power, shift);
    power = multiply(power, power);
  }
  const value = multiply(shift, BigInt(`0x${first.toString("hex")}`)) ^ BigInt(`0x${second.toString("hex")}`);
  return Buffer.from(value.toString(16).padStart(bits / 4, "0"), "hex");
}
