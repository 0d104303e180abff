/**
 * The API key that a request carries: the password of HTTP basic authentication (the wandb client sends the user `api`;
 * any user name is accepted, the key alone decides) or a bearer token. Undefined if there is none.
 */
export function presentedKey(authorization: string | undefined): string | undefined {
  const [scheme = "", value = ""] = (authorization ?? "").trim().split(/ +/, 2);
  if (value === "") return undefined;
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic": {
      const text = Buffer.from(value, "base64").toString("utf8");
      const colon = text.indexOf(":");
      return colon < 0 || colon === text.length - 1 ? undefined : text.slice(colon + 1);
    }
    default:
      return undefined;
  }
}
