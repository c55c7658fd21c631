/** The admin API around a fake node, and a caller that is let in unless it says otherwise. */
import assert from "node:assert/strict";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { type AdminOptions, createApp } from "../../../src/admin/app.ts";
import type { ProblemDocument } from "../../../src/admin/problem.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { FakeNode } from "./fake-node.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

export interface Admin {
  readonly node: FakeNode;
  /** A header with the value "-" is left out. */
  readonly call: (method: string, path: string, init?: RequestInit) => Promise<Response>;
  /** With a JSON body; resolves with the status and what was answered. */
  readonly send: (method: string, path: string, body?: unknown) => Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function setUp(
  options: Partial<Pick<AdminOptions, "openMetrics" | "replay" | "logger" | "clock">> = {},
): Admin {
  const node = new FakeNode();
  const app = createApp({
    node,
    clock: options.clock ?? { mono: () => 0, soon: (fn) => queueMicrotask(fn) },
    crypto: nodeCrypto,
    token: TOKEN,
    hostNames: ["10.1.2.3"],
    openMetrics: options.openMetrics ?? false,
    replay: options.replay ?? null,
    logger: options.logger ?? silentLogger,
  });
  const call = async (method: string, path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers({ Host: "127.0.0.1:8306", Authorization: `Bearer ${TOKEN}` });
    if (init.body !== undefined || method === "POST")
      headers.set("Content-Type", "application/json");
    for (const [name, value] of new Headers(init.headers)) {
      if (value === "-") headers.delete(name);
      else headers.set(name, value);
    }
    return app.request(`http://127.0.0.1:8306${path}`, { ...init, method, headers });
  };
  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await call(method, path, init);
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
  };
  return { node, call, send };
}

export async function problemOf(response: Response): Promise<ProblemDocument> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  return (await response.json()) as ProblemDocument;
}
