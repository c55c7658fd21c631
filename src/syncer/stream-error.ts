/** What came on a dump connection is not what a source sends; the rest of it is a broken tail. */
export class StreamError extends Error {
  readonly kind: "malformed" | "crc" | "position" | "boundary" | "anonymous";
  constructor(kind: StreamError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StreamError";
    this.kind = kind;
  }
}
