/** Name look-ups. Rejects with NetError ENOTFOUND, ETIMEOUT, … */
export interface Dns {
  resolve(name: string, kind: "A" | "AAAA" | "TXT"): Promise<string[]>;
}
