/** Sizes by which batches and windows are bounded. */
import type { Entry } from "./types.ts";

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** What an entry would take in etcd raft's encoding: limits then mean the same in both. */
export function entrySize(entry: Entry): number {
  const { index, term, data } = entry;
  const payload = data.length === 0 ? 0 : 1 + varintBytes(data.length) + data.length;
  return 2 + 1 + varintBytes(term) + 1 + varintBytes(index) + payload;
}

export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

export function payloadsSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

/** The longest start of `entries` within `maxBytes`; the first one always fits. */
export function limitSize(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  if (entries.length === 0) return entries;
  let size = entrySize(entries[0]!);
  for (let i = 1; i < entries.length; i++) {
    size += entrySize(entries[i]!);
    if (size > maxBytes) return entries.slice(0, i);
  }
  return entries;
}
