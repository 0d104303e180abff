import { renderJsonError } from "./json-protocol.ts";
import { renderQueryError } from "./query-protocol.ts";
import type { AwsError, AwsResponse, HttpRequest } from "./service.ts";
import type { Protocol } from "./sigv4/failures.ts";
import { xmlDocument } from "./xml.ts";

/** An error document in the form that the service's clients read. */
export function renderError(error: AwsError, protocol: Protocol, request: HttpRequest): AwsResponse {
  if (protocol === "json") return renderJsonError(error);
  if (protocol === "query") return renderQueryError(error, request.requestId);
  return {
    status: error.status,
    headers: { "content-type": "application/xml" },
    body: xmlDocument("Error", undefined, {
      Code: error.code,
      Message: error.message,
      ...error.details,
      RequestId: request.requestId,
      HostId: Buffer.from(request.requestId).toString("base64"),
    }),
  };
}

/** The protocol that a request speaks, judged by its form alone, for one that names no service we know. */
export function guessProtocol(request: HttpRequest): Protocol {
  if (request.headers["x-amz-target"] !== undefined) return "json";
  const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  return isForm || request.query.has("Action") ? "query" : "rest-xml";
}
