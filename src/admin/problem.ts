/**
 * Errors of the admin API: RFC 9457 problem documents with a code of the catalogue. `type` is the
 * path on this node where the catalogue's entry can be read.
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { catalogueEntry, type ErrorCode } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { OperationError } from "../cluster/operations.ts";

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** What to do; empty when the detail says it. */
  readonly next: string;
}

/** Thrown by the guards; becomes the answer. */
export class ApiError extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ErrorCode;
  readonly next: string;
  constructor(status: ContentfulStatusCode, code: ErrorCode, message: string, next = "") {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.next = next;
  }
}

/** The command line ends with a code of its own for it. */
export const NO_QUORUM = "BR4011";

const OPERATION_ANSWERS: Readonly<
  Record<OperationError["kind"], { status: ContentfulStatusCode; code: ErrorCode }>
> = {
  invalid: { status: 400, code: "BR4006" },
  "not-found": { status: 404, code: "BR4007" },
  conflict: { status: 409, code: "BR4008" },
  unavailable: { status: 503, code: "BR4009" },
  "no-quorum": { status: 503, code: NO_QUORUM },
};

export function answerError(context: Context, error: Error, logger: Logger): Response {
  if (error instanceof ApiError) return problem(context, error);
  if (error instanceof OperationError) {
    const { status, code } = OPERATION_ANSWERS[error.kind];
    return problem(context, new ApiError(status, code, error.message, error.next));
  }
  // The text of an unforeseen error may hold anything: it goes to the log, not to the caller.
  logger.error("A request of the admin API failed", {
    method: context.req.method,
    path: context.req.path,
    reason: error.message,
  });
  const message = "The request failed inside this node; its log has the details";
  return problem(context, new ApiError(500, "BR4010", message));
}

function problem(context: Context, error: ApiError): Response {
  const document: ProblemDocument = {
    type: `/errors/${error.code}`,
    title: catalogueEntry(error.code)?.title ?? "Error",
    status: error.status,
    code: error.code,
    detail: error.message,
    next: error.next,
  };
  if (error.code === "BR4012") context.header("Retry-After", "1");
  return context.json(document, error.status, { "content-type": "application/problem+json" });
}
