/** XOR of byte strings, as both password plugins use it. */

/** `bytes` XOR `key`, the key repeated as often as needed. */
export function xorBytes(bytes: Uint8Array, key: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = bytes[i]! ^ key[i % key.length]!;
  return out;
}
