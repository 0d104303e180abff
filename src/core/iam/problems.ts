import type { JsonValue } from "../json.ts";
import type { PolicyProblem } from "./policy.ts";

/** What AWS answers to most documents that break the grammar. */
export const SYNTAX = "Syntax errors in policy.";

/** What has been found wrong with a document so far, in its order. */
export class Problems {
  readonly #found: PolicyProblem[] = [];

  /** `path`: where; `aws`: AWS's answer; `message`: what is wrong; `cure`: what to write. */
  add(path: string, aws: string, message: string, cure: string, value?: JsonValue): void {
    this.#found.push({ path, aws, message, cure, ...(value === undefined ? {} : { value }) });
  }

  isEmpty(): boolean {
    return this.#found.length === 0;
  }

  asResult(): { readonly problems: readonly [PolicyProblem, ...PolicyProblem[]] } {
    const [first, ...others] = this.#found;
    if (first === undefined) throw new Error("there is no problem");
    return { problems: [first, ...others] };
  }
}

/** A problem on one line: `Statement[0].Action: "s3" has no service in front (write "s3:*")`. */
export function problemText({ path, message, cure }: PolicyProblem): string {
  return `${path === "" ? "" : `${path}: `}${message} (${cure})`;
}
