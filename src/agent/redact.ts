/** Names of values that nobody but the job itself should read. */
const SECRET_NAME = /(api_?key|secret|token|passw(or)?d|passphrase|credential|private_?key|access_?key)/i;
/** `TOKENIZERS_PARALLELISM`, `MAX_TOKENS`: settings of language models, not secrets. */
const NO_SECRET = /tokenizer|tokens\b|num_?token/i;

/** The request as it may be stored and shown: values of Environment and HyperParameters with a secret's name are masked. */
export function redactRequest<T extends object>(request: T): T {
  const masked = Object.entries(request).map(([key, value]) => [
    key,
    key === "Environment" || key === "HyperParameters" ? maskValues(value) : value,
  ]);
  return Object.fromEntries(masked) as T;
}

function maskValues(map: unknown): unknown {
  if (typeof map !== "object" || map === null) return map;
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, isSecretName(name) ? "***" : value]));
}

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !NO_SECRET.test(name);
}
