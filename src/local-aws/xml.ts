/** A value of an XML document: text, an element's children by name (an array repeats the element), or absent. */
export type XmlValue = string | number | boolean | undefined | XmlObject | readonly XmlValue[];
export interface XmlObject {
  readonly [name: string]: XmlValue;
}

/** Writes an XML document with one root element. Absent values are left out; an empty object is an empty element. */
export function xmlDocument(root: string, namespace: string | undefined, content: XmlObject): string {
  const attribute = namespace === undefined ? "" : ` xmlns="${escapeXml(namespace)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${children(content)}</${root}>`;
}

function children(content: XmlObject): string {
  return Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join("");
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.map((item) => element(name, item)).join("");
  const inner = typeof value === "object" ? children(value as XmlObject) : escapeXml(String(value));
  return inner === "" ? `<${name}/>` : `<${name}>${inner}</${name}>`;
}

/** Escapes text; characters that XML 1.0 cannot hold are written as references, as S3 does, so that a reader at least sees them. */
export function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to escape
  return text.replace(/[&<>"\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f\ufffe\uffff]/g, (character) => {
    const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[character];
    return named ?? `&#x${character.charCodeAt(0).toString(16)};`;
  });
}
