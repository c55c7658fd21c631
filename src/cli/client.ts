/** Requests to a running node, and what their failures mean for the exit code. */

import { NO_QUORUM, type ProblemDocument } from "../admin/problem.ts";
import type { ErrorCode } from "../base/errors.ts";
import { formatHostPort, type HostPort } from "../config/kinds.ts";
import { isAnyAddress } from "../config/loopback.ts";
import { DiskError } from "../platform/disk.ts";
import { type CliContext, CliError, ExitCode, type Fetch, type GlobalOptions } from "./context.ts";
import { trySettings } from "./settings.ts";

const DEFAULT_URL = "http://127.0.0.1:8306";
const DEFAULT_DATA_DIR = "./data";

export class AdminClient {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #token: string;

  constructor(fetch: Fetch, url: string, token: string) {
    this.#fetch = fetch;
    this.url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.request("GET", path)).json()) as T;
  }

  async send<T>(method: "POST" | "PUT", path: string, body: unknown = {}): Promise<T> {
    return (await (await this.request(method, path, body)).json()) as T;
  }

  async remove(path: string): Promise<void> {
    await this.request("DELETE", path);
  }

  /** The body's bytes as they come. */
  async *download(path: string): AsyncIterable<Uint8Array> {
    const { body } = await this.request("GET", path);
    if (body !== null) for await (const chunk of body) yield chunk;
  }

  async request(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#token !== "") headers["Authorization"] = `Bearer ${this.#token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const init: RequestInit = { method, headers, redirect: "error" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response: Response;
    try {
      response = await this.#fetch(`${this.url}${path}`, init);
    } catch (error) {
      throw new CliError(
        ExitCode.UNREACHABLE,
        "BR5001",
        `Cannot reach a node at ${this.url}: ${reasonOf(error)}`,
        "start it (binraft start), or name it with --server or BINRAFT_URL",
        { cause: error },
      );
    }
    if (!response.ok) throw await this.#failure(response);
    return response;
  }

  async #failure(response: Response): Promise<CliError> {
    const problem = await readProblem(response);
    if (problem === null) {
      const message = `${this.url} answers with status ${response.status} and no explanation: it is no binraft node`;
      return new CliError(
        ExitCode.UNREACHABLE,
        "BR5001",
        message,
        "correct --server or BINRAFT_URL",
      );
    }
    const next =
      problem.code === "BR4001"
        ? "give it with --token or BINRAFT_TOKEN; it is in the node's data directory, admin-token"
        : problem.next;
    const exit = problem.code === NO_QUORUM ? ExitCode.NO_QUORUM : ExitCode.FAILED;
    return new CliError(exit, problem.code as ErrorCode, problem.detail, next);
  }
}

async function readProblem(response: Response): Promise<ProblemDocument | null> {
  try {
    const problem = (await response.json()) as Partial<ProblemDocument>;
    return typeof problem.code === "string" && typeof problem.detail === "string"
      ? (problem as ProblemDocument)
      : null;
  } catch {
    return null;
  }
}

/** A failed fetch hides the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  if (cause instanceof Error && cause.message !== "") return cause.message;
  return error instanceof Error ? error.message : String(error);
}

/** `--server`, else BINRAFT_URL, else where the configuration says that the node listens. */
export async function connectToNode(
  context: CliContext,
  options: GlobalOptions,
): Promise<AdminClient> {
  const { platform } = context;
  const { env } = platform.process;
  const named = options.server ?? env["BINRAFT_URL"];
  if (named !== undefined && !/^https?:\/\//.test(named)) {
    throw new CliError(
      ExitCode.USAGE,
      "BR5003",
      `Not a URL: "${named}"; expected one such as ${DEFAULT_URL}`,
    );
  }
  const config = (await trySettings(context, options))?.config ?? null;
  let url = named ?? DEFAULT_URL;
  if (named === undefined && config !== null) {
    const scheme = config.admin.tlsCert === null ? "http" : "https";
    url = `${scheme}://${formatHostPort(ofThisMachine(config.listen.admin))}`;
  }
  const token = options.token ?? env["BINRAFT_TOKEN"] ?? (await findToken(context, config));
  return new AdminClient(context.fetch, url, token);
}

/** Nobody can connect to "all addresses". */
function ofThisMachine(listen: HostPort): HostPort {
  if (!isAnyAddress(listen.host)) return listen;
  return { ...listen, host: listen.host === "::" ? "::1" : "127.0.0.1" };
}

/** The token that a node on this machine uses; "" when this user may not read it. */
async function findToken(
  { platform }: CliContext,
  config: { node: { dataDir: string }; admin: { tokenRef: string | null } } | null,
): Promise<string> {
  const reference = config?.admin.tokenRef ?? null;
  if (reference?.startsWith("env:")) return platform.process.env[reference.slice(4)] ?? "";
  const path =
    reference?.slice("file:".length) ?? `${config?.node.dataDir ?? DEFAULT_DATA_DIR}/admin-token`;
  try {
    return (await platform.process.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof DiskError) return "";
    throw error;
  }
}
