import { randomBytes, randomInt } from "node:crypto";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A unique id as IAM makes them: a four-letter prefix that tells the kind (AIDA user, AROA role, ...), and 17 characters. */
export function uniqueId(prefix: "AIDA" | "AROA" | "ANPA" | "AIPA"): string {
  return prefix + base32(17);
}

/** `AKIA...` is a user's long-lived key, `ASIA...` a temporary one; 20 characters. */
export function accessKeyId(prefix: "AKIA" | "ASIA"): string {
  return prefix + base32(16);
}

/** 40 characters, 240 bits. */
export function secretAccessKey(): string {
  return randomBytes(30).toString("base64");
}

/** The token that accompanies temporary credentials. */
export function sessionToken(): string {
  return `FwoGZXIvYXdzE${randomBytes(165).toString("base64")}`;
}

function base32(length: number): string {
  let text = "";
  for (let index = 0; index < length; index++) text += BASE32[randomInt(BASE32.length)];
  return text;
}
