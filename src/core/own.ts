/** The entry of a table under a name that came from outside: `toString` and the like are on every object, and no entry. */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
