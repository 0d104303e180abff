import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { AwsError } from "../service.ts";
import type { Key } from "./key-store.ts";

/** Pairs that a caller gives with a plaintext and must give again to get it back. */
export type EncryptionContext = Readonly<Record<string, string>>;

const ID_BYTES = 36;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: the key's id, the nonce, the tag, the ciphertext; the encryption context is authenticated. */
export function encrypt(key: Key, plaintext: Buffer, context: EncryptionContext): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key.material, iv).setAAD(authenticated(context));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from(key.id, "latin1"), iv, cipher.getAuthTag(), body]);
}

/** The id of the key that made a ciphertext. Throws InvalidCiphertextException. */
export function keyIdOf(blob: Buffer): string {
  const id = blob.subarray(0, ID_BYTES).toString("latin1");
  if (blob.length < ID_BYTES + IV_BYTES + TAG_BYTES || !/^[0-9a-f-]{36}$/.test(id)) throw invalidCiphertext();
  return id;
}

/** Throws InvalidCiphertextException for a changed ciphertext or another encryption context. */
export function decrypt(key: Key, blob: Buffer, context: EncryptionContext): Buffer {
  const iv = blob.subarray(ID_BYTES, ID_BYTES + IV_BYTES);
  const tag = blob.subarray(ID_BYTES + IV_BYTES, ID_BYTES + IV_BYTES + TAG_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key.material, iv).setAAD(authenticated(context)).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(blob.subarray(ID_BYTES + IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

function authenticated(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(pairs), "utf8");
}

export function invalidCiphertext(): AwsError {
  return new AwsError("InvalidCiphertextException", "The ciphertext is not valid for this key and encryption context");
}
