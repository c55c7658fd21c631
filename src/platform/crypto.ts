/** Hashes, checksums, RSA and certificates. All synchronous but key generation. */
export interface Crypto {
  sha1(...parts: readonly Uint8Array[]): Uint8Array;
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** AES-256-GCM: the ciphertext with its tag of 16 bytes. A nonce has 12 bytes and is used once. */
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array;
  /** Null for what was not sealed with this key, this nonce and this `bound`. */
  unseal(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    bound: Uint8Array,
  ): Uint8Array | null;
  /** CRC-32 of zlib (and of MySQL's binlog); `previous` chains runs of bytes. Unsigned. */
  crc32(bytes: Uint8Array, previous?: number): number;
  /** Same length required by the caller; constant time. */
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
  /** RSA-OAEP with SHA-1, as caching_sha2_password wants it. `publicKeyPem` is SPKI. */
  rsaOaepEncrypt(publicKeyPem: string, message: Uint8Array): Uint8Array;
  /** Throws on anything that is not a valid ciphertext. `privateKeyPem` is PKCS#8. */
  rsaOaepDecrypt(privateKeyPem: string, ciphertext: Uint8Array): Uint8Array;
  /** SHA-256 of the first certificate of a PEM, as TlsInfo.peerFingerprint256 has it. Throws without one. */
  certificateFingerprint256(pem: string): string;
  /** Whether this is the key of the PEM's first certificate. Throws when one of them cannot be read. */
  keyFits(certPem: string, keyPem: string): boolean;
  /** A 2048-bit RSA key pair as PEM. */
  generateRsaKey(): Promise<{ privateKey: string; publicKey: string }>;
  /** A self-signed server certificate (ECDSA P-256) for these names and IP addresses. */
  selfSignedCertificate(options: {
    commonName: string;
    altNames: readonly string[];
    notBefore: Date;
    notAfter: Date;
  }): Promise<{ cert: string; key: string }>;
}
