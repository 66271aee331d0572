/**
 * What a worker knows of the run keys of its sensors, so that re-yielding a hundred thousand known keys costs no
 * query.
 *
 * Each evaluation's input carries the list of sealed pages and a version of the recent keys. Pages never change and
 * are read once; a worker whose recent keys do not add up to that version asks the loop for them. It never guesses: as
 * long as something cannot be read, the evaluation is retried and says why.
 */
import { inBatches } from '../client/batches.js';
import {
  combineKeys,
  EMPTY_LEDGER,
  isKey,
  KEY_CHARS,
  unpackKeys,
  type KeyPage,
  type LedgerKeys,
  type LedgerView,
  type Seal,
} from '../sensors/key-ledger.js';
import { KeySet } from './key-set.js';

const READS_AT_ONCE = 8;

/** Where keys come from. */
export interface KeySource {
  /** Asks the loop for all its recent keys. */
  readonly ask: () => Promise<LedgerKeys>;
  readonly readPage: (id: string) => Promise<unknown>;
  /** Told after each page. */
  readonly alive: () => void;
}

export class KnownKeys {
  private sealed = new KeySet();
  private readonly pages = new Set<string>();
  private recent = new Set<string>();
  /** XOR of `recent`. */
  private version = EMPTY_LEDGER.version;

  /**
   * Brings the keys up to date.
   *
   * @throws whatever reading a page or asking the loop throws
   */
  async refresh(view: LedgerView, source: KeySource): Promise<void> {
    this.addLatest(view);
    if (this.version === view.version) return await this.readPages(view.pages, source);
    const all = await source.ask();
    this.recent = new Set(unpackKeys(all.recent));
    this.version = all.version;
    await this.readPages(all.pages, source);
  }

  has(key: string): boolean {
    return this.recent.has(key) || this.sealed.has(key);
  }

  /** From the newest on, until all recent keys are known: most often there is no new one. */
  private addLatest({ latest, version }: LedgerView): void {
    for (let at = latest.length - KEY_CHARS; at >= 0 && this.version !== version; at -= KEY_CHARS) {
      const key = latest.slice(at, at + KEY_CHARS);
      if (this.recent.has(key)) continue;
      this.recent.add(key);
      this.version = combineKeys(this.version, key);
    }
  }

  private async readPages(pages: readonly KeyPage[], source: KeySource): Promise<void> {
    const expected = pages.reduce((sum, { keys }) => sum + keys, 0);
    // some have expired: what is left is read anew. Merged pages add up to what was there
    if (this.sealed.size > expected) {
      this.sealed = new KeySet();
      this.pages.clear();
    }
    const missing = pages.filter(({ id }) => !this.pages.has(id));
    await inBatches(missing, READS_AT_ONCE, async ({ id }) => {
      const content = await source.readPage(id);
      if (typeof content !== 'string') throw new Error(`page '${id}' does not hold run keys`);
      this.sealed.addPacked(content);
      this.pages.add(id);
      source.alive();
    });
  }
}

/** The keys of a page as it is sealed, sorted, so that the same keys are the same page. */
export function packKeys(packed: Iterable<string>): { readonly content: string; readonly keys: number } {
  const keys = new Set<string>();
  for (const text of packed) for (const key of unpackKeys(text)) if (isKey(key)) keys.add(key);
  return { content: [...keys].sort().join(''), keys: keys.size };
}

/** What a seal writes: its segment and the contents of the pages it takes over, as one page without its ID. */
export function packSeal(
  { segment, merge }: Seal,
  contents: readonly string[]
): { readonly content: string; readonly page: Omit<KeyPage, 'id'> } {
  const { content, keys } = packKeys([segment.keys, ...contents]);
  const since = Math.min(segment.since, ...merge.map((page) => page.since));
  const until = Math.max(segment.until, ...merge.map((page) => page.until));
  return { content, page: { keys, since, until } };
}
