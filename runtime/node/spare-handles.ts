/**
 * Handles in reserve for the log. Connections and downloads may take all that the process may have open; the
 * log then still has to open its next segment. So some are held for nothing, and one is given up where an open
 * finds none left. From then on, until the reserve is whole again, listeners close what comes at once: what
 * was given up must not be theirs.
 *
 * Plain descriptors and one reserve for the process: a FileHandle that is collected would be complained of.
 */
import { close, open } from "node:fs";
import { devNull } from "node:os";
import { promisify } from "node:util";
import { codeOf } from "./errors.ts";

const openPath = promisify(open);
const closeNumber = promisify(close);

const SPARES = 8;
const NONE_LEFT: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);
const spares: number[] = [];
let filling = false;
let short = false;

/** For listeners: none is left for who comes now. Tries to fill the reserve. */
export function handlesAreShort(): boolean {
  if (short && !filling) void fill();
  return short;
}

/** What `opens` opens, with a handle of the reserve if there is no other. */
export async function withSpares<T>(opens: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const opened = await opens();
      if (spares.length < SPARES && !filling) void fill();
      return opened;
    } catch (error) {
      const isLeft = !NONE_LEFT.has(codeOf(error, ""));
      short ||= !isLeft;
      const spare = isLeft ? undefined : spares.pop();
      if (spare === undefined) throw error;
      await closeNumber(spare);
    }
  }
}

async function fill(): Promise<void> {
  filling = true;
  try {
    while (spares.length < SPARES) spares.push(await openPath(devNull, "r"));
    short = false;
  } catch {
    // There is none to spare now: the next open that succeeds tries again.
  } finally {
    filling = false;
  }
}
