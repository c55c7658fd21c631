/**
 * Loaded before a script (`node --import`): from then on Maps and Sets that are keyed by numbers, as
 * those of ids are, iterate from the last to the first that was put in. What comes out the same with
 * it does not hang on the order in which somebody happened to insert. Those with other keys, such as
 * the reads in the order of their coming, stay as they are.
 */
type Kind = "keys" | "values" | "entries";

function reverse(prototype: Map<unknown, unknown> | Set<unknown>, usual: Kind): void {
  const all = prototype.entries as (this: unknown) => IterableIterator<[unknown, unknown]>;
  // Taken before anything is changed: spreading calls the iterators too.
  const step = Object.getPrototypeOf(all.call(new (prototype.constructor as typeof Map)()))
    .next as (this: unknown) => IteratorResult<[unknown, unknown]>;
  const snapshot = (of: unknown): [unknown, unknown][] => {
    const found: [unknown, unknown][] = [];
    const iterator = all.call(of);
    for (let one = step.call(iterator); one.done !== true; one = step.call(iterator)) {
      found.push(one.value);
    }
    return typeof found[0]?.[0] === "number" ? found.reverse() : found;
  };
  const pick: Record<Kind, (pair: [unknown, unknown]) => unknown> = {
    keys: ([key]) => key,
    values: ([, value]) => value,
    entries: (pair) => pair,
  };
  const iterate = (kind: Kind) =>
    function* (this: unknown): Generator<unknown> {
      for (const pair of snapshot(this)) yield pick[kind](pair);
    };
  const changed: Record<PropertyKey, unknown> = {
    [Symbol.iterator]: iterate(usual),
    forEach(this: unknown, fn: (value: unknown, key: unknown, of: unknown) => void): void {
      for (const [key, value] of snapshot(this)) fn(value, key, this);
    },
  };
  for (const kind of ["keys", "values", "entries"] as const) changed[kind] = iterate(kind);
  Object.assign(prototype, changed);
}

reverse(Map.prototype, "entries");
reverse(Set.prototype, "values");
