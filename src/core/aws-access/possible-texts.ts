import type { TemplateVariableDefinition } from "../queues/template-variables.ts";

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/;
const MACRO = /\$\{[^{}]*\}/g;
/** More texts than this are taken together as "anything" in that place. */
const MOST_TEXTS = 64;

/**
 * Every text that a config's text can become: each `{{name}}` takes each value of its variable's enum, and is `*` where the variable has none;
 * each `${macro}` is `*`.
 */
export function possibleTexts(text: string, variables: readonly TemplateVariableDefinition[]): string[] {
  let texts = [text.replace(MACRO, "*")];
  for (;;) {
    const place = PLACE.exec(texts.find((one) => PLACE.test(one)) ?? "");
    if (place === null) return [...new Set(texts)];
    const values = variables.find(({ name }) => name === place[1])?.schema.enum?.map(String) ?? ["*"];
    const filled = values.length * texts.length > MOST_TEXTS ? ["*"] : values;
    texts = texts.flatMap((one) => filled.map((value) => one.replaceAll(place[0], () => value)));
  }
}
