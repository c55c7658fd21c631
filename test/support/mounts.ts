/** File systems of a test's own: small ones that fill up, and ones whose power can be cut. Root only. */
import { copyFile, mkdir, mkdtemp, open, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { runProgram } from "../../demo/mysqlbinlog.ts";

/** Why this machine cannot mount such a thing; null when it can. */
export async function whyNoMount(kind: "tmpfs" | "loop"): Promise<string | null> {
  try {
    const disk = kind === "tmpfs" ? await SmallDisk.make(1) : await LoopDisk.make(8);
    await disk.remove();
    return null;
  } catch (error) {
    return `no ${kind} mount here: ${(error as Error).message}`;
  }
}

/** A tmpfs that can be filled to the last byte. */
export class SmallDisk {
  readonly folder: string;

  static async make(mib: number): Promise<SmallDisk> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-small-"));
    try {
      await runProgram("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", folder]);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
    return new SmallDisk(folder);
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  get #filler(): string {
    return path.join(this.folder, "filler");
  }

  async fill(): Promise<void> {
    const file = await open(this.#filler, "a");
    try {
      for (const bytes of [1_048_576, 4096, 1])
        for (const piece = Buffer.alloc(bytes); ; ) await file.write(piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  async remove(): Promise<void> {
    await runProgram("umount", ["--lazy", this.folder]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * An ext4 in a file. What was synced is in the file; the rest is only in memory, and gone when the
 * file is copied and the copy takes its place: as after a loss of power.
 */
export class LoopDisk {
  readonly #base: string;
  #generation = 0;

  static async make(mib: number): Promise<LoopDisk> {
    const base = await mkdtemp(path.join(os.tmpdir(), "binraft-loop-"));
    const disk = new LoopDisk(base);
    try {
      await mkdir(disk.folder);
      await runProgram("truncate", ["-s", `${mib}M`, disk.#image]);
      await runProgram("mkfs.ext4", ["-q", "-F", disk.#image]);
      await disk.#mount();
    } catch (error) {
      await rm(base, { recursive: true, force: true });
      throw error;
    }
    return disk;
  }

  private constructor(base: string) {
    this.#base = base;
  }

  get folder(): string {
    return path.join(this.#base, "mounted");
  }
  get #image(): string {
    return path.join(this.#base, `image-${this.#generation}`);
  }

  async #mount(): Promise<void> {
    await runProgram("mount", ["-o", "loop", this.#image, this.folder]);
  }

  /** What the disk would hold if the power went now; `restore` puts it in place. */
  async copy(): Promise<() => Promise<void>> {
    const old = this.#image;
    this.#generation++;
    await copyFile(old, this.#image);
    return async () => {
      await runProgram("umount", [this.folder]);
      await rm(old);
      await this.#mount();
    };
  }

  async remove(): Promise<void> {
    await runProgram("umount", [this.folder]);
    await rm(this.#base, { recursive: true, force: true });
  }
}
