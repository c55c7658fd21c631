/** What was given for each option, or its default, as the type that normalise.ts wants. */
import type { ErrorCode } from "../base/errors.ts";
import { type HostPort, parseHostPort, parseSize } from "./kinds.ts";
import type { Collected, LoadOptions } from "./load.ts";
import { OPTIONS, optionName } from "./options.ts";

export class Values {
  readonly #collected: Collected;
  readonly #options: LoadOptions;

  constructor(collected: Collected, options: LoadOptions) {
    this.#collected = collected;
    this.#options = options;
  }

  given(name: string): boolean {
    return this.#collected.values.has(name) || this.#collected.values.has(`${name}!`);
  }

  /** Given by somebody, and not by the provider at which this runs. */
  written(name: string): boolean {
    const given = this.#collected.values.get(name);
    if (given === undefined) return this.given(name);
    return given.origin !== this.#options.hosting?.provider;
  }

  problem(code: ErrorCode, message: string): void {
    this.#collected.problems.push({ code, message });
  }

  raw(name: string): unknown {
    const given = this.#collected.values.get(name);
    if (given !== undefined) return given.value;
    return OPTIONS.find((option) => optionName(option) === name)!.standard;
  }

  text(name: string): string {
    return this.raw(name) as string;
  }

  textOrNull(name: string): string | null {
    return this.raw(name) as string | null;
  }

  yesNo(name: string): boolean {
    return this.raw(name) === true;
  }

  /** Sizes too: a default is written as in the file. */
  number(name: string): number | null {
    const value = this.raw(name);
    return typeof value === "string" ? parseSize(value) : (value as number | null);
  }

  address(name: string): HostPort {
    const value = this.raw(name);
    return typeof value === "string" ? parseHostPort(value)! : (value as HostPort);
  }

  addresses(name: string): readonly HostPort[] {
    return (this.raw(name) as readonly HostPort[] | null) ?? [];
  }

  path(name: string): string | null {
    const value = this.textOrNull(name);
    return value === null
      ? null
      : this.absolute(value, this.#collected.values.get(name)?.fromFile ?? false);
  }

  absolute(path: string, fromFile: boolean): string {
    const relative = fromFile && !path.startsWith("/");
    return this.#options.disk(relative ? `${this.#collected.folder}${path}` : path).root;
  }

  /** Where a secret is. A file named by a flag or the environment wins over one in the file. */
  secret(name: string): string | null {
    const inEnvironment = this.#collected.values.get(`${name}!`);
    if (inEnvironment !== undefined) return `env:${String(inEnvironment.value)}`;
    const path = this.path(name);
    return path === null ? null : `file:${path}`;
  }
}
