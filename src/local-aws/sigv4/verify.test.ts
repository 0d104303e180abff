import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Principal } from "../service.ts";
import { parseAuthorization } from "./authorization.ts";
import { sha256Hex, uriEncode } from "./canonical.ts";
import { type KnownKey, verifySignature } from "./verify.ts";

const NOW = Date.parse("2026-03-04T05:06:07Z");
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const PRINCIPAL: Principal = {
  type: "user",
  accountId: "123456789012",
  arn: "arn:aws:iam::123456789012:user/slipway",
  userId: "AIDAEXAMPLE",
  accessKeyId: "AKIAEXAMPLE",
};
const KEY: KnownKey = { secretAccessKey: SECRET, principal: PRINCIPAL };

/** The hash that the AWS SDK's signer asks for; `Hash(secret)` is an HMAC. */
class Sha256 {
  readonly #hash: { update(data: Uint8Array): unknown; digest(): Buffer };
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as string | Buffer);
  }
  update(data: Uint8Array | string): void {
    this.#hash.update(Buffer.from(data as Uint8Array));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

function signer(service: string, secretAccessKey = SECRET, sessionToken?: string) {
  return new SignatureV4({
    credentials: {
      accessKeyId: "AKIAEXAMPLE",
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    region: "eu-west-1",
    service,
    sha256: Sha256,
    // As the SDK's S3 client does: S3's path is encoded once.
    uriEscapePath: service !== "s3",
    applyChecksum: true,
  });
}

interface Sample {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: string;
}

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const headerText = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,10}[\x21-\x7e])?$/);
const sample: fc.Arbitrary<Sample> = fc.record({
  method: fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD"),
  path: fc
    .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 })
    .filter((segments) => segments.every((segment) => segment !== "." && segment !== ".."))
    .map((segments) => `/${segments.map((segment) => uriEncode(segment)).join("/")}`),
  query: fc.dictionary(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }).filter((name) => !/^x-amz/i.test(name)),
    text,
    { maxKeys: 4, noNullPrototype: true },
  ),
  headers: fc.dictionary(fc.stringMatching(/^x-amz-meta-[a-z]{1,6}$/), headerText, {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  body: text,
});

function rawQuery(query: Readonly<Record<string, unknown>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(String(value))}`)
    .join("&");
}

function verify(
  request: {
    method: string;
    path: string;
    query: string;
    headers: Readonly<Record<string, string>>;
    payloadHash: string;
  },
  options: { key?: KnownKey | undefined; now?: number; protocol?: "json" | "rest-xml" } = {},
) {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const authorization = parseAuthorization({ headers, query: new URLSearchParams(request.query) });
  if ("kind" in authorization) return authorization;
  return verifySignature(
    {
      method: request.method,
      rawPath: request.path,
      rawQuery: request.query,
      headers,
      payloadHash: request.payloadHash,
    },
    authorization,
    "key" in options ? options.key : KEY,
    options.now ?? NOW,
    options.protocol ?? "rest-xml",
  );
}

async function signedSample(service: string, sample: Sample, secret?: string, token?: string) {
  const signed = await signer(service, secret, token).sign(
    {
      method: sample.method,
      protocol: "http:",
      hostname: "127.0.0.1",
      port: 4566,
      path: sample.path,
      query: sample.query,
      headers: { host: "127.0.0.1:4566", ...sample.headers },
      body: sample.body,
    },
    { signingDate: new Date(NOW) },
  );
  return {
    method: sample.method,
    path: sample.path,
    query: rawQuery(sample.query),
    headers: signed.headers,
    payloadHash: sha256Hex(sample.body),
  };
}

const PLAIN: Sample = {
  method: "PUT",
  path: "/bucket/a%20b",
  query: { x: "1" },
  headers: { "x-amz-meta-a": "1" },
  body: "hi",
};

describe("Signature Version 4", () => {
  test.each(["s3", "sagemaker"])(
    "accepts whatever the AWS SDK's signer signs for %s, and nothing that was changed since",
    async (service) => {
      await fc.assert(
        fc.asyncProperty(sample, async (given) => {
          const request = await signedSample(service, given);
          expect(verify(request)).toMatchObject({ principal: PRINCIPAL });
          expect(verify({ ...request, payloadHash: sha256Hex(`${given.body}!`) })).toMatchObject({
            kind: "wrong-signature",
          });
          expect(verify({ ...request, path: `${request.path}x` })).toMatchObject({ kind: "wrong-signature" });
          expect(verify({ ...request, query: `${request.query}&added=1` })).toMatchObject({ kind: "wrong-signature" });
          expect(verify({ ...request, headers: { ...request.headers, host: "other" } })).toMatchObject({
            kind: "wrong-signature",
          });
          expect(verify({ ...request, method: "PATCH" })).toMatchObject({ kind: "wrong-signature" });
        }),
        { numRuns: 100 },
      );
    },
  );

  test("accepts presigned URLs of the AWS SDK's signer until they end", async () => {
    await fc.assert(
      fc.asyncProperty(sample, async (given) => {
        const presigned = await signer("s3").presign(
          {
            method: given.method,
            protocol: "http:",
            hostname: "127.0.0.1",
            port: 4566,
            path: given.path,
            query: given.query,
            headers: { host: "127.0.0.1:4566" },
          },
          { signingDate: new Date(NOW), expiresIn: 600, hoistableHeaders: new Set() },
        );
        const request = {
          method: given.method,
          path: given.path,
          query: rawQuery(presigned.query ?? {}),
          headers: { host: "127.0.0.1:4566" },
          payloadHash: sha256Hex(""),
        };
        expect(verify(request, { now: NOW + 600_000 })).toMatchObject({ principal: PRINCIPAL });
        expect(verify(request, { now: NOW + 600_001 })).toMatchObject({ kind: "presign-expired" });
      }),
      { numRuns: 50 },
    );
  });

  test("refuses a wrong secret, an unknown key, and headers that were not signed", async () => {
    const request = await signedSample("s3", PLAIN);
    expect(verify(await signedSample("s3", PLAIN, "wrong"))).toMatchObject({ kind: "wrong-signature" });
    expect(verify(request, { key: undefined })).toMatchObject({ kind: "unknown-key", accessKeyId: "AKIAEXAMPLE" });
    expect(verify({ ...request, headers: { ...request.headers, "x-amz-acl": "private" } })).toEqual({
      kind: "unsigned-headers",
      headers: ["x-amz-acl"],
    });
  });

  test("clocks may differ by 15 minutes for S3 and by 5 for the others", async () => {
    const request = await signedSample("s3", PLAIN);
    for (const sign of [1, -1]) {
      expect(verify(request, { now: NOW + sign * 900_000 })).toMatchObject({ principal: PRINCIPAL });
      expect(verify(request, { now: NOW + sign * 900_001 })).toMatchObject({ kind: "skewed", early: sign < 0 });
      expect(verify(request, { now: NOW + sign * 300_000, protocol: "json" })).toMatchObject({ principal: PRINCIPAL });
      expect(verify(request, { now: NOW + sign * 300_001, protocol: "json" })).toMatchObject({ kind: "skewed" });
    }
  });

  test("temporary credentials need their token, and end", async () => {
    const key: KnownKey = {
      secretAccessKey: SECRET,
      sessionToken: "token",
      principal: { ...PRINCIPAL, expiresAt: NOW + 1 },
    };
    const request = await signedSample("s3", PLAIN, SECRET, "token");
    expect(verify(request, { key })).toMatchObject({ principal: { arn: PRINCIPAL.arn } });
    expect(verify(request, { key, now: NOW + 1 })).toEqual({ kind: "expired-token" });
    expect(verify(request)).toEqual({ kind: "invalid-token" });
    expect(verify(await signedSample("s3", PLAIN, SECRET, "other"), { key })).toEqual({ kind: "invalid-token" });
    expect(verify(await signedSample("s3", PLAIN), { key })).toMatchObject({ kind: "unknown-key" });
  });

  test.each([
    [{}, "missing"],
    [{ authorization: "AWS4-HMAC-SHA256 Credential=a" }, "incomplete"],
    [
      {
        authorization: "AWS4-HMAC-SHA256 Credential=a/20260304/r/s3/aws4, SignedHeaders=host, Signature=0",
        "x-amz-date": "20260304T050607Z",
      },
      "incomplete",
    ],
    [
      {
        authorization: "AWS4-HMAC-SHA256 Credential=a/20260305/r/s3/aws4_request, SignedHeaders=host, Signature=0",
        "x-amz-date": "20260304T050607Z",
      },
      "incomplete",
    ],
  ])("a signature that is not complete is told so: %j", (headers, kind) => {
    expect(verify({ method: "GET", path: "/", query: "", headers, payloadHash: sha256Hex("") })).toMatchObject({
      kind,
    });
  });
});
