/**
 * Hashes of event IDs, packed in one text: by them a log knows an event that comes again. 48 bits: among the thousands
 * that are kept, one new event in ten billion is taken for another. By hand, because the sandbox has no crypto. Pure.
 */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Characters of one hash. */
export const HASH_CHARS = 8;

/** 48 bits of `text`, the same for ever. Two multiplicative hashes of 32 bits, mixed; 24 bits of each are kept. */
export function eventHash(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return packed(high) + packed(low);
}

function packed(bits: number): string {
  let text = '';
  for (let shift = 18; shift >= 0; shift -= 6) text += ALPHABET[(bits >>> shift) & 63] ?? '';
  return text;
}

/** Whether `hash` is one of the packed ones. */
export function knowsHash(hashes: string, hash: string): boolean {
  for (let at = hashes.indexOf(hash); at >= 0; at = hashes.indexOf(hash, at + 1))
    if (at % HASH_CHARS === 0) return true;
  return false;
}
