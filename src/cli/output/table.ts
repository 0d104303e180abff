import Table from "cli-table3";
import colors from "picocolors";

/** Rows for a person: no borders, columns aligned; for pipes the same without colour. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const none = "";
  const table = new Table({
    head: head.map((word) => colors.dim(word)),
    chars: {
      top: none,
      "top-mid": none,
      "top-left": none,
      "top-right": none,
      bottom: none,
      "bottom-mid": none,
      "bottom-left": none,
      "bottom-right": none,
      left: none,
      "left-mid": none,
      mid: none,
      "mid-mid": none,
      right: none,
      "right-mid": none,
      middle: "  ",
    },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) table.push(row.map(String));
  console.log(table.toString().replace(/ +$/gm, ""));
}
