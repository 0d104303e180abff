/** `name==version`, with what the version may be (https://packaging.python.org/en/latest/specifications/version-specifiers/). */
const PINNED = /^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+$/;

/** The lines of a frozen environment that fix a version of a package by name, as a constraints file takes them. */
export function frozenVersions(frozen: string): string[] {
  return linesOf(frozen).filter((line) => PINNED.test(line));
}

/**
 * The lines of a frozen environment that can be installed elsewhere. What was installed from a directory of its machine
 * (`-e ...`, `name @ file:///...`) is not there.
 */
export function installable(frozen: string): string[] {
  return linesOf(frozen).filter((line) => !/^(-|\.|\/)/.test(line) && !/\bfile:\/\//.test(line));
}

function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}
