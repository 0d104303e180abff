import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

export interface OperationLimits {
  /** Most levels of fields. */
  readonly depth: number;
  /** Most fields, a field under a paged list counted once per requested element. */
  readonly complexity: number;
}

/** What a page costs when its size is given by a variable that is absent. */
const DEFAULT_PAGE = 50;
const PAGE_ARGUMENTS = new Set(["first", "last", "max"]);

/**
 * Refuses an operation that nests too deeply or asks for too much, before anything runs; throws GRAPHQL_TOO_COMPLEX.
 * Linear in the size of the document: a fragment is measured once, not once per spread. The document must be valid
 * (no fragment cycles).
 */
export function checkLimits(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  limits: OperationLimits,
): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Measure>();
  const { depth, complexity } = measure(operation.selectionSet);
  if (depth > limits.depth) throw tooMuch("deep", depth, limits.depth);
  if (complexity > limits.complexity) throw tooMuch("large", complexity, limits.complexity);

  function measure(set: SelectionSetNode): Measure {
    let depth = 0;
    let complexity = 0;
    for (const selection of set.selections) {
      const part =
        selection.kind === Kind.FIELD
          ? measureField(selection)
          : selection.kind === Kind.INLINE_FRAGMENT
            ? measure(selection.selectionSet)
            : measureFragment(selection.name.value);
      depth = Math.max(depth, part.depth);
      complexity += part.complexity;
    }
    return { depth, complexity };
  }

  function measureField(field: FieldNode): Measure {
    if (!field.selectionSet) return { depth: 1, complexity: 1 };
    const inner = measure(field.selectionSet);
    return { depth: inner.depth + 1, complexity: 1 + inner.complexity * pageSize(field) };
  }

  function measureFragment(name: string): Measure {
    const known = measured.get(name);
    if (known) return known;
    const fragment = fragments.get(name);
    const result = fragment ? measure(fragment.selectionSet) : { depth: 0, complexity: 0 };
    measured.set(name, result);
    return result;
  }

  function pageSize(field: FieldNode): number {
    for (const argument of field.arguments ?? []) {
      if (!PAGE_ARGUMENTS.has(argument.name.value)) continue;
      if (argument.value.kind === Kind.INT) return Math.max(1, Number(argument.value.value));
      if (argument.value.kind === Kind.VARIABLE) {
        const value = variables[argument.value.name.value];
        return typeof value === "number" ? Math.max(1, value) : DEFAULT_PAGE;
      }
    }
    return 1;
  }
}

interface Measure {
  readonly depth: number;
  readonly complexity: number;
}

function tooMuch(what: string, actual: number, limit: number): SlipwayError {
  return new SlipwayError("GRAPHQL_TOO_COMPLEX", { values: { what, actual, limit } });
}
