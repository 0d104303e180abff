import { expect, test } from "vitest";
import { presentedKey } from "./credentials.ts";

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

test("the key is the password of basic authentication, colons and all", () => {
  expect(presentedKey(basic("api:KEY"))).toBe("KEY");
  expect(presentedKey(basic("api:a:b"))).toBe("a:b");
});

test("or a bearer token, in any case of the scheme", () => {
  expect(presentedKey("bearer KEY")).toBe("KEY");
});

test("everything else is no key", () => {
  for (const header of [undefined, "", "Basic", basic("api:"), basic("KEY"), "Digest x", "Bearer "]) {
    expect(presentedKey(header)).toBeUndefined();
  }
});
