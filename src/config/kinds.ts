/**
 * The kinds of value that an option may have. Each takes what a TOML file gives (typed) and what
 * a flag or an environment variable gives (text), and says in words what it expects.
 */
import { z } from "zod";

export interface Kind {
  readonly schema: z.ZodType;
  /** For `--help` and the reference page: "size", "HOST:PORT". */
  readonly label: string;
  /** Completes "expected …" in an error. */
  readonly expected: string;
}

/** "127.0.0.1:3307", "[::1]:3307". */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** "128MiB" → 134217728; null when it is no size. */
export function parseSize(text: string): number | null {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNIT_BYTES[(match?.[2] ?? "?").toLowerCase()];
  if (match === null || unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/i.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65535) return null;
  return { host: (match[1] ?? match[2])!, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export const text: Kind = {
  schema: z.string().trim().min(1).max(1024),
  label: "TEXT",
  expected: "a text that is not empty",
};

/** A name that ends up in tables, URLs and log lines. */
export const label: Kind = {
  schema: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
  label: "NAME",
  expected: "1 to 63 letters, digits, dots, hyphens and underscores, a letter or digit first",
};

export const path: Kind = {
  schema: z.string().min(1).max(4096),
  label: "PATH",
  expected: "a path",
};

export const yesNo: Kind = {
  schema: z.union([z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")]),
  label: "true|false",
  expected: "true or false",
};

export const hostPort: Kind = {
  schema: z.string().transform((given, context) => parseHostPort(given) ?? refuse(context)),
  label: "HOST:PORT",
  expected: 'an address and a port, such as "127.0.0.1:3307" or "[::1]:3307"',
};

/** A port may be missing: then it is null. */
export const hostMaybePort: Kind = {
  schema: z.string().transform((given, context) => {
    const whole = parseHostPort(given);
    if (whole !== null) return whole;
    const host = given.trim();
    return /^[^\s:[\]/]+$/.test(host) ? { host, port: null } : refuse(context);
  }),
  label: "HOST[:PORT]",
  expected: 'a name, such as "nodes.example", perhaps with a port',
};

export const hostPorts: Kind = {
  schema: z
    .union([z.array(z.string()), z.string().transform((given) => given.split(","))])
    .transform((given, context) => given.map((one) => parseHostPort(one) ?? refuse(context))),
  label: "HOST:PORT,…",
  expected: 'addresses with ports, such as ["10.0.0.1:4306"]',
};

export function oneOf(...words: readonly [string, ...string[]]): Kind {
  return {
    schema: z.enum(words),
    label: words.join("|"),
    expected: words.map((word) => `"${word}"`).join(", "),
  };
}

export function wholeNumber(least: number, most: number): Kind {
  const digits = z
    .string()
    .regex(/^[0-9]{1,15}$/)
    .transform(Number);
  return {
    schema: z.union([z.number(), digits]).pipe(z.number().int().min(least).max(most)),
    label: "NUMBER",
    expected: `a whole number from ${least} to ${most}`,
  };
}

export function size(least: number, most: number, words: string): Kind {
  const written = z.string().transform((given, context) => parseSize(given) ?? refuse(context));
  return {
    schema: z.union([z.number(), written]).pipe(z.number().int().min(least).max(most)),
    label: "SIZE",
    expected: `a size ${words}, in bytes or such as "128MiB"`,
  };
}

function refuse(context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message: "unreadable" });
  return z.NEVER;
}
