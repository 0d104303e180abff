import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { AwsRequest } from "../service.ts";
import { createChecksum, expectedChecksum, verifyChecksum } from "./checksums.ts";
import { malformedXml } from "./errors.ts";

/** An element of a request's document: its text and its children by name, in order. */
export interface XmlElement {
  readonly text: string;
  all(name: string): XmlElement[];
  one(name: string): XmlElement | undefined;
  /** The text of a child, or undefined. */
  textOf(name: string): string | undefined;
}

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  removeNSPrefix: true,
  alwaysCreateTextNode: true,
  // Decoded below: the five names of XML itself and character references, and nothing a request could define.
  processEntities: false,
  isArray: () => true,
});

/** Reads a request's XML body, checked against the checksum that the request promises. Throws MalformedXML, BadDigest. */
export async function readXml(request: AwsRequest, root: string): Promise<XmlElement> {
  const body = await request.readBody(MAX_DOCUMENT_BYTES);
  const expected = expectedChecksum(request.headers);
  if (expected !== undefined) {
    const checksum = createChecksum(expected.algorithm);
    checksum.update(body);
    verifyChecksum(expected, checksum.digest(), request.trailers());
  }
  return parseXml(body.toString("utf8"), root);
}

/** Parses a document whose root element has the given name. Throws MalformedXML. */
export function parseXml(text: string, root: string): XmlElement {
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) throw malformedXml();
  const element = elementOf(parser.parse(text)).one(root);
  if (element === undefined) throw malformedXml();
  return element;
}

function elementOf(node: unknown): XmlElement {
  const members = (typeof node === "object" && node !== null ? node : {}) as Readonly<Record<string, unknown>>;
  const all = (name: string) => {
    const children = Object.hasOwn(members, name) ? members[name] : undefined;
    return Array.isArray(children) ? children.map(elementOf) : [];
  };
  const text = Array.isArray(members["#text"]) ? members["#text"].join("") : String(members["#text"] ?? "");
  return { text: decodeEntities(text), all, one: (name) => all(name)[0], textOf: (name) => all(name)[0]?.text };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
