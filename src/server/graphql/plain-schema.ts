import { buildASTSchema, type GraphQLSchema, Kind, parse, visit } from "graphql";

/** What the wandb client asks of an item; the rest of the type is ours. */
const PLAIN_ITEM = new Set(["id", "state", "associatedRunId", "runSpec", "priority", "error", "agent", "createdAt"]);
/** Our words that their descriptions do not show as ours. */
const OWN_WORDS = new Set(["AckRunQueueItemInput.fencingToken"]);

/**
 * The schema as a server of the plain protocol has it: every field, argument and input whose description begins with
 * `Slipway` is gone, and with them what an item says only here. Documents are checked against it when
 * SLIPWAY_PLAIN_PROTOCOL is on, so that our words are refused as any other server would refuse them.
 */
export function plainSchemaOf(schemaText: string): GraphQLSchema {
  const document = visit(parse(schemaText), {
    FieldDefinition: (node) => (isOurs(node.description?.value) ? null : undefined),
    InputValueDefinition: (node) => (isOurs(node.description?.value) ? null : undefined),
    ObjectTypeDefinition: {
      leave: (node) => {
        if (node.name.value !== "RunQueueItem") return undefined;
        return { ...node, fields: (node.fields ?? []).filter((field) => PLAIN_ITEM.has(field.name.value)) };
      },
    },
    InputObjectTypeDefinition: {
      leave: (node) => ({
        ...node,
        kind: Kind.INPUT_OBJECT_TYPE_DEFINITION,
        fields: (node.fields ?? []).filter((field) => !OWN_WORDS.has(`${node.name.value}.${field.name.value}`)),
      }),
    },
  });
  return buildASTSchema(document);
}

function isOurs(description: string | undefined): boolean {
  return description?.startsWith("Slipway") === true;
}
