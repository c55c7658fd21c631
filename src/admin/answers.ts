/** The parts that most routes have in common, for OpenAPI and for validation. */
import type { z } from "@hono/zod-openapi";

// A type and not an interface: only that has the index signature which the routes ask for.
type JsonContent<T extends z.ZodType> = { "application/json": { schema: T } };

export function answers<T extends z.ZodType>(
  schema: T,
): { 200: { description: string; content: JsonContent<T> } } {
  return { 200: { description: "Done", content: { "application/json": { schema } } } };
}

export function requestBody<T extends z.ZodType>(
  schema: T,
): { body: { required: true; content: JsonContent<T> } } {
  return { body: { required: true, content: { "application/json": { schema } } } };
}
