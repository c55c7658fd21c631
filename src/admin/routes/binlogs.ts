/** `/v1/binlogs`: the files as replicas see them, their bytes, and purging; `/v1/backup`. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Logger } from "../../base/logger.ts";
import type { BinlogFile } from "../../binlog/file-view.ts";
import type { NodeOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import { downloadPlaces } from "../places.ts";
import { type BinlogDocument, binlogDocument, purgeRequest } from "../schema.ts";

const name = z.object({ name: z.string().min(1).max(512) });

export function binlogRoutes(app: OpenAPIHono, node: NodeOperations, logger: Logger): void {
  const downloads = downloadPlaces();
  const items = z.object({ items: z.array(binlogDocument) });
  const list = createRoute({
    method: "get",
    path: "/v1/binlogs",
    summary: "The binlog files",
    responses: answers(items),
  });
  app.openapi(list, (context) =>
    context.json(items.parse({ items: node.files().map(document) }), 200),
  );

  const raw = createRoute({
    method: "get",
    path: "/v1/binlogs/{name}/raw",
    summary: "The file's bytes as the source has them",
    request: { params: name },
    responses: {
      200: {
        description: "The file",
        content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
      },
    },
  });
  app.openapi(raw, (context) => {
    const file = node.exportFile(context.req.valid("param").name);
    return context.body(streamOf(file, downloads.take(), logger), 200, {
      "content-type": "application/octet-stream",
    });
  });

  const backup = createRoute({
    method: "get",
    path: "/v1/backup",
    summary: "All that this node has, for binraft restore",
    responses: {
      200: {
        description: "The backup",
        content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
      },
    },
  });
  app.openapi(backup, (context) =>
    context.body(streamOf(node.backup(), downloads.take(), logger), 200, {
      "content-type": "application/octet-stream",
    }),
  );

  const purged = z.object({ purged: z.array(z.string()), dryRun: z.boolean() });
  const purge = createRoute({
    method: "post",
    path: "/v1/binlogs/purge",
    summary: "Drops whole files before the named one",
    request: requestBody(purgeRequest),
    responses: answers(purged),
  });
  app.openapi(purge, async (context) => {
    const { to, dryRun } = context.req.valid("json");
    return context.json(purged.parse({ purged: await node.purge(to, dryRun), dryRun }), 200);
  });
}

function document(file: BinlogFile): BinlogDocument {
  return {
    name: file.name,
    sizeBytes: file.size,
    state: file.end,
    partial: file.partial,
    firstTime: time(file.firstTimestamp),
    lastTime: time(file.lastTimestamp),
    sourceName: file.sourceName,
    sourceUuid: file.sourceUuid,
  };
}

function time(seconds: number): string | null {
  return seconds === 0 ? null : new Date(seconds * 1000).toISOString();
}

/** Pulled as the client reads; ends with the client. One that fails cuts the client's connection. */
function streamOf(
  chunks: AsyncIterable<Uint8Array>,
  onEnd: () => void,
  logger: Logger,
): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next().catch((error: Error) => {
          logger.warn("A download ends before its end", { reason: error.message });
          onEnd();
          throw error;
        });
        if (next.done) {
          onEnd();
          controller.close();
        }
        // The node may use its buffer again for the next chunk.
        else controller.enqueue(next.value.slice());
      },
      async cancel() {
        onEnd();
        await iterator.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}
