/**
 * Random and mutated bytes into every decoder of the MySQL protocol: each call gives a value or one
 * of the errors that its callers catch, in bounded time. FUZZ_RUNS sets how many.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeCompress } from "../../../runtime/node/compress.ts";
import { MalformedBytes } from "../../../src/base/bytes.ts";
import { decodeCommand } from "../../../src/mysql/commands.ts";
import { CompressedFrameDecoder, frameCodec } from "../../../src/mysql/compressed-frame.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import {
  decodeAuthSwitch,
  decodeGreeting,
  decodeLoginOrTlsRequest,
} from "../../../src/mysql/handshake.ts";
import { PacketDecoder } from "../../../src/mysql/packet.ts";
import { decodeBinding } from "../../../src/mysql/prepared.ts";
import { decodeEof, decodeErr, decodeOk } from "../../../src/mysql/response.ts";
import {
  encodeResultSet,
  ResultSetReader,
  ResultTooLarge,
  textColumn,
} from "../../../src/mysql/result-set.ts";
import { decodeSemiSyncAck } from "../../../src/mysql/semi-sync.ts";
import * as captured from "../../unit/mysql/captured.ts";

const { FUZZ_RUNS = "3000" } = process.env;
const numRuns = Number(FUZZ_RUNS);

/** A seed packet with bytes changed, cut out and put in; or noise. */
function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat(2), fc.nat(), fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  const changed = fc.tuple(fc.constantFrom(...seeds), edits).map(([seed, list]) => {
    const bytes = [...seed];
    for (const [kind, at, value] of list) {
      const place = at % (bytes.length + 1);
      if (kind === 0) bytes[place] = value;
      else if (kind === 1) bytes.splice(place, value % 9);
      else bytes.splice(place, 0, value);
    }
    return Uint8Array.from(bytes);
  });
  return fc.oneof({ weight: 4, arbitrary: changed }, fc.uint8Array({ maxLength: 200 }));
}

function fuzz(
  name: string,
  seeds: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => unknown,
): void {
  test(name, () => {
    fc.assert(
      fc.property(mutated(seeds), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          const known =
            error instanceof MalformedBytes ||
            error instanceof MysqlError ||
            error instanceof ResultTooLarge;
          assert.ok(known, error instanceof Error ? error.stack : String(error));
        }
      }),
      { numRuns },
    );
  });
}

const greetings = [captured.GREETING_97, captured.GREETING_56, captured.GREETING_MARIADB];
const answers = [
  "00000002000000",
  "fe00000200",
  "ffd404234859303030436f",
  "00fc01020000020000",
].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));

fuzz("login and TLS request", captured.LOGINS, decodeLoginOrTlsRequest);
fuzz("greeting", greetings, decodeGreeting);
fuzz("auth switch", [Uint8Array.of(0xfe, 65, 0, 1, 2, 0)], (bytes) => {
  if (bytes.length > 0) decodeAuthSwitch(bytes);
});
for (const capabilities of [0, 0xffffffff]) {
  const hex = capabilities.toString(16);
  fuzz(`commands with capabilities ${hex}`, captured.COMMANDS, (bytes) =>
    decodeCommand(bytes, capabilities),
  );
  fuzz(`answers with capabilities ${hex}`, answers, (bytes) => {
    if (bytes.length === 0) return;
    if (bytes[0] === 0xff) decodeErr(bytes);
    else if (bytes[0] === 0xfe) decodeEof(bytes);
    else decodeOk(bytes, capabilities);
  });
  // Two parameters: an integer and a text, as a client binds them; and with a name before each.
  const bindings = [
    "0001080006fd00012a0000000000000002686900",
    "02000108000006fd00000001782a000000000000000268690a",
    "0200010a000004e4070b1cfc0000026869",
    "03",
  ].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
  for (const parameters of [0, 1, 2, 9]) {
    fuzz(`bindings of ${parameters} with capabilities ${hex}`, bindings, (bytes) =>
      decodeBinding(bytes, 8, parameters, [8], () => null, capabilities),
    );
  }
  const result = encodeResultSet([textColumn("a"), textColumn("b")], [["1", null]], capabilities);
  fuzz(`result set with capabilities ${hex}`, result, (bytes) => {
    const limits = { maxColumns: 100, maxRows: 100, maxBytes: 10_000 };
    for (let at = 0; at < result.length; at++) {
      const reader = new ResultSetReader(capabilities, limits);
      for (const payload of result.with(at, bytes)) if (reader.accept(payload) !== null) break;
    }
  });
}
fuzz("semi-sync ACK", [Uint8Array.of(0xef, 1, 0, 0, 0, 0, 0, 0, 0, 65)], decodeSemiSyncAck);
fuzz("packets", [Uint8Array.of(1, 0, 0, 0, 9, 2, 0, 0, 1, 8, 8)], (bytes) => {
  const decoder = new PacketDecoder(1000);
  decoder.push(bytes);
  for (let payload = decoder.next(); payload !== null; payload = decoder.next());
});
for (const algorithm of ["zlib", "zstd"] as const) {
  const codec = frameCodec(nodeCompress, algorithm, 1)!;
  const body = codec.compress(new Uint8Array(100).fill(7));
  const seed = Uint8Array.of(body.length, 0, 0, 0, 100, 0, 0, ...body);
  fuzz(`frames with ${algorithm}`, [seed], (bytes) => {
    const decoder = new CompressedFrameDecoder(codec);
    decoder.push(bytes);
    for (let inner = decoder.next(); inner !== null; inner = decoder.next());
  });
}
