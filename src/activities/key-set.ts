/**
 * A set of 128-bit keys in one typed array: a million take 32 MB, a JavaScript `Set` of strings three times as much.
 *
 * Open addressing with linear probing; the keys are hashes already, so their first word is the position. A key of
 * all zeros cannot be stored, and no SHA-256 anybody has seen begins with 128 of them.
 */
import { unpackKeys } from '../sensors/key-ledger.js';

const WORDS = 4;
const MAX_LOAD = 0.7;

export class KeySet {
  size = 0;
  private words = new Uint32Array(64 * WORDS);
  private readonly scratch = Buffer.alloc(WORDS * 4);

  /** @param key 22 characters of base64url */
  has(key: string): boolean {
    this.scratch.write(key, 'base64url');
    return !this.isFree(this.slotOf(this.scratch));
  }

  add(key: string): void {
    this.scratch.write(key, 'base64url');
    const slot = this.slotOf(this.scratch);
    if (!this.isFree(slot)) return;
    for (let word = 0; word < WORDS; word++) this.words[slot + word] = this.scratch.readUInt32LE(word * 4);
    this.size++;
    if (this.size * WORDS > this.words.length * MAX_LOAD) this.grow();
  }

  addPacked(packed: string): void {
    for (const key of unpackKeys(packed)) this.add(key);
  }

  /** Where the key is, or the free place for it. */
  private slotOf(key: Buffer): number {
    const { words } = this;
    const places = words.length / WORDS;
    let place = key.readUInt32LE(0) % places;
    for (;;) {
      const slot = place * WORDS;
      if (this.isFree(slot)) return slot;
      if (
        words[slot] === key.readUInt32LE(0) &&
        words[slot + 1] === key.readUInt32LE(4) &&
        words[slot + 2] === key.readUInt32LE(8) &&
        words[slot + 3] === key.readUInt32LE(12)
      )
        return slot;
      place = (place + 1) % places;
    }
  }

  private isFree(slot: number): boolean {
    const { words } = this;
    return words[slot] === 0 && words[slot + 1] === 0 && words[slot + 2] === 0 && words[slot + 3] === 0;
  }

  private grow(): void {
    const old = this.words;
    this.words = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from] === 0 && old[from + 1] === 0 && old[from + 2] === 0 && old[from + 3] === 0) continue;
      for (let word = 0; word < WORDS; word++) this.scratch.writeUInt32LE(old[from + word] ?? 0, word * 4);
      this.words.set(old.subarray(from, from + WORDS), this.slotOf(this.scratch));
    }
  }
}
