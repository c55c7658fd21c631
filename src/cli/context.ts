/** What the runtime's main gives to the command line, and how a verb ends. */
import type { ErrorCode } from "../base/errors.ts";
import type { GeoPolicies } from "../cluster/policies.ts";
import type { Platform } from "../platform/platform.ts";
import type { FindHosting } from "./hosting.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface DemoModule {
  /** Resolves with the exit code. */
  demo(args: readonly string[]): Promise<number>;
}

export interface CliContext {
  readonly platform: Platform;
  /** What nodes that start ask of geography. */
  readonly policies: GeoPolicies;
  /** The runtime's, for requests to a running node. */
  readonly fetch: Fetch;
  /** Loads the demo, which is no part of the core. */
  readonly demo: () => Promise<DemoModule>;
  /** Looks whether a provider is known at which this process runs. */
  readonly hosting: FindHosting;
}

export const ExitCode = { OK: 0, FAILED: 1, USAGE: 2, UNREACHABLE: 3, NO_QUORUM: 4 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends a verb with a sentence and an exit code. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly code: ErrorCode;
  readonly next: string;
  constructor(exit: ExitCode, code: ErrorCode, message: string, next = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exit = exit;
    this.code = code;
    this.next = next;
  }
}

/** Options that every verb takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly server?: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}
