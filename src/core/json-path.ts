/** A place inside a JSON value, as people write it: `InputDataConfig[0].ChannelName`, `Environment["my.key"]`; empty for the whole. */
export function memberPath(parent: string, key: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}

/** The place of an element of a list, counted from 0. */
export function elementPath(parent: string, index: number): string {
  return `${parent}[${index}]`;
}
