import { deniedText, type Permission } from "./iam/authorize.ts";
import { AwsError, type AwsRequest, type AwsResponse, type AwsService } from "./service.ts";
import { type XmlObject, xmlDocument } from "./xml.ts";

/** Reads the parameters of a query request. Missing required ones are a MissingParameter / ValidationError. */
export class QueryInput {
  readonly #parameters: URLSearchParams;

  constructor(parameters: URLSearchParams) {
    this.#parameters = parameters;
  }

  /** A parameter, or undefined when it is absent. */
  optional(name: string): string | undefined {
    return this.#parameters.get(name) ?? undefined;
  }

  /** A parameter that must be there and not empty. */
  required(name: string): string {
    const value = this.#parameters.get(name);
    if (value === null || value === "") {
      const member = name.slice(0, 1).toLowerCase() + name.slice(1);
      throw new AwsError(
        "ValidationError",
        `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
      );
    }
    return value;
  }

  /** A whole number, within bounds if it is given. */
  integer(name: string, fallback: number, minimum: number, maximum: number): number {
    const text = this.#parameters.get(name);
    if (text === null) return fallback;
    const member = name.slice(0, 1).toLowerCase() + name.slice(1);
    const value = Number(text);
    if (!/^-?\d+$/.test(text)) throw new AwsError("MalformedInput", `${name} is not an integer`);
    const rule =
      value < minimum
        ? `Member must have value greater than or equal to ${minimum}`
        : value > maximum
          ? `Member must have value less than or equal to ${maximum}`
          : undefined;
    if (rule === undefined) return value;
    throw new AwsError(
      "ValidationError",
      `1 validation error detected: Value '${text}' at '${member}' failed to satisfy constraint: ${rule}`,
    );
  }

  /** A list: `NAME.member.1`, `NAME.member.2`, ...; of objects, one member of each: `NAME.member.1.MEMBER`. */
  list(name: string, member?: string): string[] {
    const end = member === undefined ? "" : `.${member}`;
    const values: string[] = [];
    for (let index = 1; ; index++) {
      const value = this.#parameters.get(`${name}.member.${index}${end}`);
      if (value === null) return values;
      values.push(value);
    }
  }

  /** A list of key and value pairs: `Tags.member.1.Key`, `Tags.member.1.Value`. */
  tags(name: string): Record<string, string> {
    const tags: Record<string, string> = {};
    for (let index = 1; ; index++) {
      const key = this.#parameters.get(`${name}.member.${index}.Key`);
      if (key === null) return tags;
      tags[key] = this.#parameters.get(`${name}.member.${index}.Value`) ?? "";
    }
  }
}

/** One action: gives the members of its result element (undefined: an action without a result). Throws AwsError. */
export type QueryAction = (
  input: QueryInput,
  request: AwsRequest,
) => XmlObject | undefined | Promise<XmlObject | undefined>;

export interface QueryServiceOptions {
  readonly scope: string;
  /** `https://sts.amazonaws.com/doc/2011-06-15/`. */
  readonly namespace: string;
  /** `2011-06-15`. */
  readonly version: string;
  readonly actions: Readonly<Record<string, QueryAction>>;
  /** What an action needs to be allowed. Absent: `SCOPE:ACTION` on `*`. */
  readonly permissions?: (action: string, input: QueryInput, request: AwsRequest) => readonly Permission[];
}

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * A service of the AWS query protocol: parameters in the query or a form body, XML back.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export function createQueryService(options: QueryServiceOptions): AwsService {
  return {
    scope: options.scope,
    protocol: "query",
    async handle(request: AwsRequest): Promise<AwsResponse> {
      const parameters = new URLSearchParams(request.query);
      for (const [name, value] of new URLSearchParams((await request.readBody(MAX_BODY_BYTES)).toString("utf8"))) {
        parameters.set(name, value);
      }
      const action = parameters.get("Action") ?? "";
      if (action === "") throw new AwsError("MissingAction", "The request must contain the parameter Action");
      const version = parameters.get("Version") ?? options.version;
      const run = Object.hasOwn(options.actions, action) ? options.actions[action] : undefined;
      if (run === undefined || version !== options.version) {
        throw new AwsError("InvalidAction", `Could not find operation ${action} for version ${version}`);
      }
      const input = new QueryInput(parameters);
      const permissions = options.permissions?.(action, input, request) ?? [
        { action: `${options.scope}:${action}`, resource: "*" },
      ];
      for (const permission of permissions) {
        const decision = request.access(permission);
        if (!decision.allowed) {
          throw new AwsError("AccessDenied", deniedText(request.principal, permission, decision.reason), 403);
        }
      }
      const result = await run(input, request);
      return {
        status: 200,
        headers: { "content-type": "text/xml" },
        body: xmlDocument(`${action}Response`, options.namespace, {
          ...(result === undefined ? {} : { [`${action}Result`]: result }),
          ResponseMetadata: { RequestId: request.requestId },
        }),
      };
    },
  };
}

/** An error in the query protocol. */
export function renderQueryError(error: AwsError, requestId: string): AwsResponse {
  return {
    status: error.status,
    headers: { "content-type": "text/xml" },
    body: xmlDocument("ErrorResponse", undefined, {
      Error: { Type: error.status < 500 ? "Sender" : "Receiver", Code: error.code, Message: error.message },
      RequestId: requestId,
    }),
  };
}
