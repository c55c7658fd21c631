/**
 * Handles in reserve for the log. Connections and downloads may take all that the process may have open; the
 * log then still has to open its next segment. So some are held for nothing, and one is given up where an open
 * finds none left. Who accepts connections may be quicker to take it: then the next one is given up.
 *
 * Plain descriptors and one reserve for the process: a FileHandle that is collected would be complained of.
 */
import { close, open } from "node:fs";
import { promisify } from "node:util";
import { codeOf } from "./errors.ts";

const openPath = promisify(open);
const closeNumber = promisify(close);

const SPARES = 8;
const NONE_LEFT: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);
const spares: number[] = [];
let filling = false;

/** What `opens` opens, with a handle of the reserve if there is no other. `folder` exists. */
export async function withSpares<T>(folder: string, opens: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const opened = await opens();
      if (spares.length < SPARES && !filling) void fill(folder);
      return opened;
    } catch (error) {
      const spare = NONE_LEFT.has(codeOf(error, "")) ? spares.pop() : undefined;
      if (spare === undefined) throw error;
      await closeNumber(spare);
    }
  }
}

async function fill(folder: string): Promise<void> {
  filling = true;
  try {
    while (spares.length < SPARES) spares.push(await openPath(folder, "r"));
  } catch {
    // There is none to spare now: the next open that succeeds tries again.
  } finally {
    filling = false;
  }
}
