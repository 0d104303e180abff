import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AwsChunkedOptions, decodeAwsChunked } from "./aws-chunked.ts";
import { createChecksum } from "./s3/checksums.ts";
import { signingKey } from "./sigv4/canonical.ts";

// The worked examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
const KEY = signingKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3");
const SCOPE = { key: KEY, timestamp: "20130524T000000Z", scope: "20130524/us-east-1/s3/aws4_request" };
const SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const CHUNKS: readonly (readonly [number, string])[] = [
  [65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"],
  [1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"],
  [0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"],
];
const TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
const TRAILER_CHUNKS: readonly (readonly [number, string])[] = [
  [65_536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"],
  [1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"],
  [0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"],
];
const TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

function frame(chunks: readonly (readonly [number, string])[], end: string): Buffer {
  const parts = chunks.map(([size, signature]) =>
    Buffer.from(`${size.toString(16)};chunk-signature=${signature}\r\n${"a".repeat(size)}${size === 0 ? "" : "\r\n"}`),
  );
  return Buffer.concat([...parts, Buffer.from(end)]);
}

async function decode(framed: Buffer, cut: number, options: Partial<AwsChunkedOptions>) {
  async function* source() {
    for (let at = 0; at < framed.length; at += cut) yield framed.subarray(at, at + cut);
  }
  let trailers: Readonly<Record<string, string>> = {};
  const parts: Buffer[] = [];
  const decoded = decodeAwsChunked(source(), {
    hasTrailer: false,
    decodedLength: 66_560,
    onTrailers: (received) => {
      trailers = received;
    },
    ...options,
  });
  for await (const part of decoded) parts.push(part);
  return { body: Buffer.concat(parts), trailers };
}

describe("bodies in aws-chunked framing", () => {
  const seed = { ...SCOPE, signature: SEED };
  const trailerEnd = `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${TRAILER_SIGNATURE}\r\n\r\n`;

  test.each([1 << 20, 997, 16])("the documented example is accepted, cut into pieces of %i bytes", async (cut) => {
    const { body } = await decode(frame(CHUNKS, "\r\n"), cut, { seed });
    expect(body.equals(Buffer.alloc(66_560, "a"))).toBe(true);
  });

  test("the documented example with a signed trailer is accepted, and its checksum is right", async () => {
    const { body, trailers } = await decode(frame(TRAILER_CHUNKS, trailerEnd), 4096, {
      seed: { ...SCOPE, signature: TRAILER_SEED },
      hasTrailer: true,
    });
    const crc = createChecksum("CRC32C");
    crc.update(body);
    expect(trailers).toEqual({ "x-amz-checksum-crc32c": crc.digest().toString("base64") });
  });

  test("one changed byte anywhere in data, signature or order is refused", async () => {
    const framed = frame(CHUNKS, "\r\n");
    const changed = Buffer.from(framed);
    changed[40_000] = 98;
    await expect(decode(changed, 4096, { seed })).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
    const [first, second, last] = CHUNKS;
    const wrongLast: [number, string] = [0, last![1].replace(/^./, "0")];
    await expect(decode(frame([first!, second!, wrongLast], "\r\n"), 4096, { seed })).rejects.toMatchObject({
      code: "SignatureDoesNotMatch",
    });
    await expect(decode(frame([second!, first!, last!], "\r\n"), 4096, { seed })).rejects.toMatchObject({
      code: "SignatureDoesNotMatch",
    });
    await expect(
      decode(frame(TRAILER_CHUNKS, trailerEnd.replace("sOO8", "sOO9")), 4096, {
        seed: { ...SCOPE, signature: TRAILER_SEED },
        hasTrailer: true,
      }),
    ).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
  });

  test("a body that breaks off, or has another length than announced, is refused", async () => {
    const framed = frame(CHUNKS, "\r\n");
    for (const length of [0, 10, 70_000 - 5000, framed.length - 90]) {
      await expect(decode(framed.subarray(0, length), 4096, { seed })).rejects.toMatchObject({
        code: "IncompleteBody",
      });
    }
    await expect(decode(framed, 4096, { seed, decodedLength: 66_559 })).rejects.toMatchObject({
      code: "IncompleteBody",
    });
    await expect(decode(framed, 4096, { seed, decodedLength: 66_561 })).rejects.toMatchObject({
      code: "IncompleteBody",
    });
  });

  test("unsigned chunks of any sizes give their content", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 })),
        fc.integer({ min: 1, max: 40 }),
        async (chunks, cut) => {
          const whole = Buffer.concat(chunks);
          const framed = Buffer.concat([
            ...chunks.flatMap((chunk) => [
              Buffer.from(`${chunk.length.toString(16)}\r\n`),
              Buffer.from(chunk),
              Buffer.from("\r\n"),
            ]),
            Buffer.from("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"),
          ]);
          const { body, trailers } = await decode(framed, cut, { hasTrailer: true, decodedLength: whole.length });
          expect(body.equals(whole)).toBe(true);
          expect(trailers).toEqual({ "x-amz-checksum-crc32": "AAAAAA==" });
        },
      ),
    );
  });
});
