import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CrcName, combineCrcs, createCrc } from "./crc.ts";

function crc(name: CrcName, data: Uint8Array): string {
  const running = createCrc(name);
  running.update(data);
  return running.digest().toString("hex");
}

describe("CRCs", () => {
  // The check values of the catalogue of parametrised CRC algorithms: the CRC of the text 123456789.
  test.each([
    ["CRC32", "cbf43926"],
    ["CRC32C", "e3069283"],
    ["CRC64NVME", "ae8b14860a799888"],
  ] as const)("%s of 123456789", (name, expected) => {
    expect(crc(name, Buffer.from("123456789"))).toBe(expected);
  });

  test.each(["CRC32", "CRC32C", "CRC64NVME"] as const)("%s: in pieces and combined as in one", (name) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
        const whole = crc(name, Buffer.concat([a, b]));
        const running = createCrc(name);
        running.update(a);
        running.update(b);
        expect(running.digest().toString("hex")).toBe(whole);
        const combined = combineCrcs(
          name,
          Buffer.from(crc(name, a), "hex"),
          Buffer.from(crc(name, b), "hex"),
          b.length,
        );
        expect(combined.toString("hex")).toBe(whole);
      }),
    );
  });
});
