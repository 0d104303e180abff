/**
 * The few parts of the Protocol Buffers wire format that BuildKit's session and progress need
 * (https://protobuf.dev/programming-guides/encoding/).
 */

/** One field of a message: its number and its value; a text or message is its bytes. */
export interface Field {
  readonly number: number;
  readonly value: number | Buffer;
}

/** The fields of a message in order. Throws RangeError for bytes that end too early. */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const kind = key % 8;
    if (kind === 0) fields.push({ number, value: varint() });
    else if (kind === 2) {
      const length = varint();
      if (at + length > message.length) throw new RangeError("the message is cut off");
      fields.push({ number, value: message.subarray(at, at + length) });
      at += length;
    } else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else throw new RangeError(`there is no wire type ${kind}`);
  }
  return fields;
}

/** The last text of a field; "" if there is none. */
export function textField(fields: readonly Field[], number: number): string {
  const found = fields.findLast((field) => field.number === number)?.value;
  return Buffer.isBuffer(found) ? found.toString("utf8") : "";
}

/** All texts or messages of a field. */
export function bytesFields(fields: readonly Field[], number: number): Buffer[] {
  return fields.flatMap((field) => (field.number === number && Buffer.isBuffer(field.value) ? [field.value] : []));
}

/** A field of text or bytes. */
export function writeBytes(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([writeVarint(number * 8 + 2), writeVarint(bytes.length), bytes]);
}

/** A field that is a number of at most 2^53. */
export function writeNumber(number: number, value: number): Buffer {
  return Buffer.concat([writeVarint(number * 8), writeVarint(value)]);
}

function writeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
