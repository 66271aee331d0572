/**
 * The run-key ledger: which (job, run key) pairs have run, for as long as the author wants, beyond what the server
 * remembers.
 *
 * A key is 128 bits of a hash, 22 characters of base64url. Recent keys are packed in the loop's state, one string a
 * segment; older ones are in sealed pages, of which the state knows only the IDs. Small pages are merged into one, so
 * that a million keys are some twenty pages. Pure: the workflow bundle contains this file.
 */
import { MAX_RECENT_KEYS } from './limits.js';

/** Characters of one packed key. */
export const KEY_CHARS = 22;
/** Keys of one page, below 1 MB. */
export const KEYS_PER_PAGE = 45_000;
/** So many pages of less than {@link KEYS_PER_PAGE} are merged into one. */
const PAGES_PER_MERGE = 16;
/** With a `dedupe` time, a segment or merged page spans at most this share of it: keys expire together. */
const SPANS_PER_DEDUPE = 8;
/** Keys that travel with each evaluation; a worker that lacks older ones asks the loop. */
const LATEST_KEYS = 100;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NO_KEYS = 'A'.repeat(KEY_CHARS);

/** Keys that were remembered between two times, packed. */
export interface KeySegment {
  readonly since: number;
  readonly until: number;
  readonly keys: string;
}

/** A sealed page: a workflow whose input is the packed keys. */
export interface KeyPage {
  /** Workflow ID; it contains the content's hash. */
  readonly id: string;
  readonly keys: number;
  readonly since: number;
  readonly until: number;
}

export interface Ledger {
  readonly recent: readonly KeySegment[];
  readonly pages: readonly KeyPage[];
  /** XOR of all recent keys: the same for the same keys, whatever history led to them (a reset repeats counters). */
  readonly version: string;
}

/** What an evaluation is told of the ledger. */
export interface LedgerView {
  readonly pages: readonly KeyPage[];
  readonly version: string;
  /** The newest keys, packed. */
  readonly latest: string;
}

/** Everything in the ledger, for a worker that is behind. */
export interface LedgerKeys {
  readonly pages: readonly KeyPage[];
  readonly version: string;
  readonly recent: string;
}

/** What to write as one page: a segment of the recent keys, and smaller pages that it takes over. */
export interface Seal {
  readonly segment: KeySegment;
  readonly merge: readonly KeyPage[];
}

export const EMPTY_LEDGER: Ledger = { recent: [], pages: [], version: NO_KEYS };

/** Adds a key that has run. */
export function rememberKey(known: Ledger, key: string, now: number, dedupeMs: number | undefined): Ledger {
  const ledger = withoutKey(known, key);
  const version = combineKeys(ledger.version, key);
  const last = ledger.recent.at(-1);
  if (last === undefined || now - last.since > spanOf(dedupeMs)) {
    return { ...ledger, version, recent: [...ledger.recent, { since: now, until: now, keys: key }] };
  }
  const grown = { since: last.since, until: now, keys: last.keys + key };
  return { ...ledger, version, recent: [...ledger.recent.slice(0, -1), grown] };
}

/** The recent keys are a set: a key that comes again (a re-run) counts from now on, and only once. */
function withoutKey(ledger: Ledger, key: string): Ledger {
  const found = ledger.recent.findIndex(({ keys }) => positionOf(keys, key) >= 0);
  if (found < 0) return ledger;
  const recent = ledger.recent.flatMap((segment, index): KeySegment[] => {
    if (index !== found) return [segment];
    const at = positionOf(segment.keys, key);
    const keys = segment.keys.slice(0, at) + segment.keys.slice(at + KEY_CHARS);
    return keys === '' ? [] : [{ ...segment, keys }];
  });
  return { ...ledger, recent, version: combineKeys(ledger.version, key) };
}

function positionOf(packed: string, key: string): number {
  for (let at = packed.indexOf(key); at >= 0; at = packed.indexOf(key, at + 1)) if (at % KEY_CHARS === 0) return at;
  return -1;
}

/** What should leave the state now, or `undefined` when there is room. */
export function planSeal(ledger: Ledger, dedupeMs: number | undefined): Seal | undefined {
  const [segment] = ledger.recent;
  if (segment === undefined || recentCount(ledger) <= MAX_RECENT_KEYS) return undefined;
  const small = ledger.pages.filter(({ keys }) => keys < KEYS_PER_PAGE / 2);
  if (small.length < PAGES_PER_MERGE - 1) return { segment, merge: [] };
  const merge: KeyPage[] = [];
  let keys = segment.keys.length / KEY_CHARS;
  for (const page of small.toReversed()) {
    if (keys + page.keys > KEYS_PER_PAGE || segment.until - page.since > spanOf(dedupeMs)) break;
    merge.push(page);
    keys += page.keys;
  }
  return { segment, merge };
}

/** The ledger once `seal` is written as `page`. */
export function applySeal(ledger: Ledger, { segment, merge }: Seal, page: KeyPage): Ledger {
  const merged = new Set(merge.map(({ id }) => id));
  const recent = ledger.recent.flatMap((each): KeySegment[] => {
    if (each.since !== segment.since || !each.keys.startsWith(segment.keys)) return [each];
    // keys that came while the page was written stay
    const keys = each.keys.slice(segment.keys.length);
    return keys === '' ? [] : [{ since: segment.until, until: each.until, keys }];
  });
  const pages = [...ledger.pages.filter(({ id }) => !merged.has(id) && id !== page.id), page];
  return { recent, pages, version: versionOf(recent) };
}

/** Drops whole segments and pages whose newest key is older than `dedupeMs`. */
export function expireKeys(
  ledger: Ledger,
  now: number,
  dedupeMs: number | undefined
): { readonly ledger: Ledger; readonly expired: readonly KeyPage[] } {
  if (dedupeMs === undefined) return { ledger, expired: [] };
  const old = ({ until }: { readonly until: number }): boolean => until + dedupeMs < now;
  const expired = ledger.pages.filter(old);
  if (expired.length === 0 && !ledger.recent.some(old)) return { ledger, expired };
  const recent = ledger.recent.filter((segment) => !old(segment));
  const pages = ledger.pages.filter((page) => !old(page));
  return { ledger: { recent, pages, version: versionOf(recent) }, expired };
}

export function keyCount(ledger: Ledger): number {
  return recentCount(ledger) + ledger.pages.reduce((sum, { keys }) => sum + keys, 0);
}

function recentCount({ recent }: Ledger): number {
  return recent.reduce((sum, { keys }) => sum + keys.length, 0) / KEY_CHARS;
}

export function ledgerView(ledger: Ledger): LedgerView {
  const chars = LATEST_KEYS * KEY_CHARS;
  let latest = '';
  for (const { keys } of ledger.recent.toReversed()) {
    if (latest.length >= chars) break;
    latest = keys.slice(-(chars - latest.length)) + latest;
  }
  return { pages: ledger.pages, version: ledger.version, latest };
}

export function ledgerKeys(ledger: Ledger): LedgerKeys {
  return {
    pages: ledger.pages,
    version: ledger.version,
    recent: ledger.recent.map(({ keys }) => keys).join(''),
  };
}

/** The keys of a packed text. */
export function* unpackKeys(packed: string): Generator<string> {
  for (let at = 0; at + KEY_CHARS <= packed.length; at += KEY_CHARS) yield packed.slice(at, at + KEY_CHARS);
}

/** XOR of two keys, 6 bits a character. */
export function combineKeys(a: string, b: string): string {
  let combined = '';
  for (let at = 0; at < KEY_CHARS; at++) {
    combined += ALPHABET[ALPHABET.indexOf(a[at] ?? 'A') ^ ALPHABET.indexOf(b[at] ?? 'A')] ?? 'A';
  }
  return combined;
}

export function isKey(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{22}$/.test(value);
}

/** Epoch of the newest run of a key: 1, and one more each time that an operator lets it run again. */
export function epochOf({ epochs }: { readonly epochs: Readonly<Record<string, number>> }, hash: string): number {
  return Object.hasOwn(epochs, hash) ? (epochs[hash] ?? 1) : 1;
}

function versionOf(segments: readonly KeySegment[]): string {
  let version = NO_KEYS;
  for (const { keys } of segments) for (const key of unpackKeys(keys)) version = combineKeys(version, key);
  return version;
}

function spanOf(dedupeMs: number | undefined): number {
  return dedupeMs === undefined ? Number.POSITIVE_INFINITY : dedupeMs / SPANS_PER_DEDUPE;
}
