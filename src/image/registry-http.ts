import type { Clock } from "../core/clock.ts";
import { SlipwayError } from "../core/errors/slipway-error.ts";
import { isLoopback } from "./image-reference.ts";
import type { CredentialsProvider, RegistryCredentials } from "./registry-credentials.ts";

export interface RegistryHttpOptions {
  /** `https://HOST` or `http://HOST:PORT`, without a path. */
  readonly endpoint: string;
  readonly credentials: CredentialsProvider;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** Path, or a whole URL that the registry gave. */
  readonly url: string;
  /** Repositories that the request reads (`pull`) or writes (`push`), for the token's scope. */
  readonly scopes: readonly { readonly repository: string; readonly actions: "pull" | "pull,push" }[];
  /** For messages: "push a layer". */
  readonly action: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Statuses besides 2xx that the caller handles. */
  readonly accept?: readonly number[];
  /** Tries in all for a request that may be repeated as it is; 4 where absent. */
  readonly tries?: number;
}

/** Requests to one registry, with its authorization and retries. */
export interface RegistryHttp {
  readonly host: string;
  /** `https://HOST` */
  readonly origin: string;
  send(request: RegistryRequest): Promise<Response>;
}

/** Waits before the second, third and further tries, in milliseconds. */
const WAITS = [200, 1000, 3000];
const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

/**
 * A client of the registry's HTTP API with basic and bearer authorization
 * (https://distribution.github.io/distribution/spec/auth/token/). Credentials go only to the registry's own origin and to
 * the token server it names, and over plain HTTP only if the endpoint itself was given so.
 * Errors: REGISTRY_UNREACHABLE, REGISTRY_REFUSED, REGISTRY_FAILED, REGISTRY_INSECURE, REPOSITORY_NOT_FOUND.
 */
export function createRegistryHttp(options: RegistryHttpOptions): RegistryHttp {
  const base = new URL(options.endpoint);
  const host = base.host;
  const tokens = new Map<string, { header: string; until: number }>();
  let challenge: Challenge | undefined;
  let credentials: Promise<RegistryCredentials | undefined> | undefined;

  async function fetchOnce(url: URL, init: RequestInit & { method: string }): Promise<Response> {
    return options.fetch(url, { ...init, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  }

  async function authorization(request: RegistryRequest): Promise<string | undefined> {
    if (challenge === undefined) return undefined;
    credentials ??= options.credentials();
    const known = await credentials;
    if (challenge.scheme === "basic") {
      return known !== undefined && "username" in known ? basic(known) : undefined;
    }
    const scope = request.scopes.map(({ repository, actions }) => `repository:${repository}:${actions}`);
    const key = scope.join(" ");
    const held = tokens.get(key);
    if (held !== undefined && held.until > options.clock.now()) return held.header;
    const token = await fetchToken(challenge, scope, known);
    tokens.set(key, token);
    return token.header;
  }

  async function fetchToken(to: Challenge, scope: readonly string[], known: RegistryCredentials | undefined) {
    const realm = new URL(to.realm, base);
    if (realm.protocol !== "https:" && base.protocol === "https:" && !isLoopback(realm.hostname)) {
      throw new SlipwayError("REGISTRY_INSECURE", { values: { registry: host, url: realm.origin } });
    }
    const fields = new URLSearchParams();
    if (to.service !== undefined) fields.set("service", to.service);
    let response: Response;
    if (known !== undefined && "identityToken" in known) {
      fields.set("scope", scope.join(" "));
      fields.set("grant_type", "refresh_token");
      fields.set("client_id", "slipway");
      fields.set("refresh_token", known.identityToken);
      response = await fetchOnce(realm, { method: "POST", body: fields });
    } else {
      for (const one of scope) realm.searchParams.append("scope", one);
      for (const [name, value] of fields) realm.searchParams.set(name, value);
      const headers: Record<string, string> = known === undefined ? {} : { authorization: basic(known) };
      response = await fetchOnce(realm, { method: "GET", headers });
    }
    if (!response.ok) throw await refused(response, { action: "give a token", scopes: [] });
    const body = (await response.json()) as { token?: string; access_token?: string; expires_in?: number };
    const token = body.token ?? body.access_token;
    // Without expires_in a token lives 60 seconds (the specification's default); used up to 10 seconds before its end.
    const until = options.clock.now() + ((body.expires_in ?? 60) - 10) * 1000;
    return { header: `Bearer ${token}`, until };
  }

  async function refused(response: Response, request: Pick<RegistryRequest, "action" | "scopes">): Promise<Error> {
    const { code, detail } = await readErrors(response);
    const values = { registry: host, action: request.action, detail };
    if (response.status === 401 || response.status === 403) return new SlipwayError("REGISTRY_REFUSED", { values });
    if (code === "NAME_UNKNOWN") {
      const repository = request.scopes[0]?.repository ?? "";
      return new SlipwayError("REPOSITORY_NOT_FOUND", { values: { registry: host, repository } });
    }
    return new SlipwayError("REGISTRY_FAILED", { values });
  }

  async function attempt(request: RegistryRequest): Promise<Response> {
    const url = new URL(request.url, base);
    for (let login = 0; ; login += 1) {
      const headers: Record<string, string> = { ...request.headers };
      if (url.origin === base.origin) {
        const header = await authorization(request);
        if (header !== undefined) headers.authorization = header;
      }
      const response = await fetchOnce(url, {
        method: request.method,
        headers,
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      if (response.status !== 401 || login >= 2) return response;
      const asked = readChallenge(response.headers.get("www-authenticate"));
      if (asked === undefined) return response;
      await response.body?.cancel();
      // The first 401 says how to log in; the second one, that what we have has run out.
      if (challenge !== undefined) {
        credentials = undefined;
        tokens.clear();
      }
      challenge = asked;
    }
  }

  return {
    host,
    origin: base.origin,
    async send(request) {
      const tries = request.tries ?? 4;
      for (let n = 0; ; n += 1) {
        try {
          const response = await attempt(request);
          if (response.ok || request.accept?.includes(response.status)) return response;
          if (!RETRIED.has(response.status) || n + 1 >= tries) throw await refused(response, request);
          await response.body?.cancel();
        } catch (error) {
          options.signal?.throwIfAborted();
          if (error instanceof SlipwayError) throw error;
          if (n + 1 >= tries) {
            const detail = reasonOf(error);
            throw new SlipwayError("REGISTRY_UNREACHABLE", { values: { registry: host, detail }, cause: error });
          }
        }
        await options.clock.sleep(WAITS[Math.min(n, WAITS.length - 1)] as number, options.signal);
      }
    },
  };
}

interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly realm: string;
  readonly service: string | undefined;
}

/** Reads `Bearer realm="...",service="..."` or `Basic realm="..."`. */
function readChallenge(header: string | null): Challenge | undefined {
  const scheme = header?.match(/^\s*(basic|bearer)\b/i)?.[1]?.toLowerCase();
  if (header == null || scheme === undefined) return undefined;
  const fields = Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2]]));
  if (scheme === "basic") return { scheme, realm: "", service: undefined };
  return fields.realm === undefined ? undefined : { scheme: "bearer", realm: fields.realm, service: fields.service };
}

function basic(known: RegistryCredentials): string {
  if ("identityToken" in known) return `Bearer ${known.identityToken}`;
  return `Basic ${Buffer.from(`${known.username}:${known.password}`).toString("base64")}`;
}

/** The registry's own words: `{"errors":[{"code","message"}]}`. */
async function readErrors(response: Response): Promise<{ code: string | undefined; detail: string }> {
  const text = await response.text().catch(() => "");
  try {
    const first = (JSON.parse(text) as { errors?: { code?: string; message?: string }[] }).errors?.[0];
    if (first !== undefined) {
      return { code: first.code, detail: `${first.code ?? response.status}: ${first.message ?? ""}`.trim() };
    }
  } catch {
    // not JSON: the status says enough
  }
  return { code: undefined, detail: `HTTP ${response.status} ${text.slice(0, 200)}`.trim() };
}

/** Node's fetch hides the reason (ECONNREFUSED, a certificate) in the error's cause. */
export function reasonOf(error: unknown): string {
  const cause = (error as { cause?: unknown }).cause;
  if (cause instanceof Error) return cause.message || String((cause as NodeJS.ErrnoException).code);
  return error instanceof Error ? error.message : String(error);
}
