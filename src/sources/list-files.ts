/** The files in a directory that are complete and can be read, and what is wrong with the others. */
import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import picomatch from 'picomatch';
import { inBatches } from '../client/batches.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import { fsPath } from './file-names.js';
import { isGone, problemOf, walk, type Entry, type FileProblem, type Walked } from './walk.js';

/** A file, as it was when it was looked at. */
export interface DirectoryFile {
  /**
   * Absolute, to open it on a machine that has the same directory. A name that is not UTF-8 has lone surrogates for the
   * other bytes: open it with `fsPath(path)`.
   */
  readonly path: string;
  /** From the directory, with `/` between names. */
  readonly relativePath: string;
  /** Its last part. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly modifiedAt: Date;
}

/** Which files of a directory count. */
export interface ListOptions {
  /**
   * Pattern, or patterns, of the relative path: `*.csv`, `2026/**`, and with `!` what does not count. One without a slash is
   * for the name alone, in whatever folder. @default every file
   */
  readonly glob?: string | readonly string[] | undefined;
  /** Whether folders in the directory count, and links to folders. @default false */
  readonly recursive?: boolean | undefined;
  /** Whether names that begin with a dot count; other programs' unfinished files often do. @default false */
  readonly hidden?: boolean | undefined;
  /**
   * How long a file must not have changed to be taken for complete; 0 to 1 day. It needs clocks of file system and
   * machine that agree about that well. @default '1s'
   */
  readonly stableFor?: Duration | undefined;
}

export interface ListedFiles {
  /** By relative path. */
  readonly files: readonly DirectoryFile[];
  /** How many more are still being written. */
  readonly changing: number;
  /** What cannot be read: broken links, missing permissions. */
  readonly problems: readonly FileProblem[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** File-system calls at once; they share four threads. */
const AT_ONCE = 32;
/** Up to this `stableFor` a changing file gets a second look in the same tick, so that it need not wait for the next. */
const MAX_WAIT_MS = 2_000;

/**
 * Lists the files of a directory.
 *
 * @throws {@link EvaluationError} when it does not exist, is no directory, or may not be read
 */
export async function listFiles(
  path: string,
  options: ListOptions & { readonly signal?: AbortSignal } = {}
): Promise<ListedFiles> {
  const listing = new Listing(path, options, 'listFiles');
  const { entries, problems } = await listing.walk(options.signal);
  const looked = await listing.look(entries, options.signal);
  const complete = await listing.complete(looked.files, options.signal);
  return {
    files: complete.files.map(({ file }) => file),
    changing: complete.changing,
    problems: [...problems, ...looked.problems, ...complete.problems],
  };
}

/** A file with what tells whether it changes. */
export interface LookedAt {
  readonly entry: Entry;
  readonly file: DirectoryFile;
  readonly mtimeMs: number;
  /** Moves with every write and rename, and cannot be set back. */
  readonly ctimeMs: number;
}

interface Looked {
  readonly files: readonly LookedAt[];
  readonly problems: readonly FileProblem[];
}

/** The steps of {@link listFiles}, for those who look at new files only. */
export class Listing {
  readonly root: string;
  private readonly matches: (relativePath: string) => boolean;
  private readonly stableForMs: number;

  constructor(
    path: string,
    private readonly options: ListOptions,
    place: string
  ) {
    if (typeof path !== 'string' || path === '') {
      throw new DefinitionError(`${place}: path is ${quote(path)}; accepted: the path of a directory`);
    }
    this.root = resolve(path);
    this.matches = matcher(options, place);
    this.stableForMs = parseDuration(options.stableFor ?? '1s', `${place}: stableFor`, 0, DAY_MS);
  }

  async walk(signal: AbortSignal | undefined): Promise<Walked> {
    const { recursive = false, hidden = false } = this.options;
    return await walk(this.root, { recursive, hidden, matches: this.matches, signal });
  }

  /** Sizes and times; what is gone meanwhile is left out. */
  async look(entries: readonly Entry[], signal: AbortSignal | undefined): Promise<Looked> {
    return await this.forEach(entries, signal, async (entry) => lookedAt(entry, await stat(fsPath(entry.path))));
  }

  /** The files that can be read and no longer change. Waits up to 2 s for those that have changed a moment ago. */
  async complete(
    files: readonly LookedAt[],
    signal: AbortSignal | undefined
  ): Promise<Looked & { readonly changing: number }> {
    const looked = new Map(files.map((file) => [file.entry, file]));
    const readable = await this.forEach([...looked.keys()], signal, async (entry) => {
      // access(2) would answer for the user who started the process
      await (await open(fsPath(entry.path))).close();
      return looked.get(entry);
    });
    const recent = new Set(readable.files.filter(({ ctimeMs }) => this.isRecent(ctimeMs)));
    if (recent.size > 0 && this.stableForMs <= MAX_WAIT_MS) {
      await sleep(this.stableForMs, undefined, signal === undefined ? {} : { signal });
      const again = await this.look(
        [...recent].map(({ entry }) => entry),
        signal
      );
      for (const file of again.files) {
        const before = looked.get(file.entry);
        if (before !== undefined && isSame(before, file)) recent.delete(before);
      }
    }
    return { ...readable, files: readable.files.filter((file) => !recent.has(file)), changing: recent.size };
  }

  private async forEach(
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
    act: (entry: Entry) => Promise<LookedAt | undefined>
  ): Promise<Looked> {
    const files: (LookedAt | undefined)[] = [];
    const problems: FileProblem[] = [];
    await inBatches([...entries.entries()], AT_ONCE, async ([index, entry]) => {
      signal?.throwIfAborted();
      try {
        files[index] = await act(entry);
      } catch (error) {
        if (!isGone(error)) problems.push(problemOf(entry, error));
      }
    });
    return { files: files.filter((file) => file !== undefined), problems };
  }

  private isRecent(ctimeMs: number): boolean {
    const age = Date.now() - ctimeMs;
    // a time in the future is another clock's: a second look tells, and without one there is no end to waiting for it
    return age < this.stableForMs && (this.stableForMs <= MAX_WAIT_MS || -age < this.stableForMs);
  }
}

function lookedAt(entry: Entry, { size, mtime, mtimeMs, ctimeMs }: Stats): LookedAt {
  const { path, relativePath } = entry;
  return { entry, file: { path, relativePath, name: basename(path), size, modifiedAt: mtime }, mtimeMs, ctimeMs };
}

function isSame(before: LookedAt, now: LookedAt): boolean {
  return now.file.size === before.file.size && now.mtimeMs === before.mtimeMs && now.ctimeMs === before.ctimeMs;
}

function matcher({ glob, hidden = false }: ListOptions, place: string): (relativePath: string) => boolean {
  if (glob === undefined) return () => true;
  const patterns: readonly unknown[] = typeof glob === 'string' ? [glob] : glob;
  if (!Array.isArray(patterns) || patterns.some((pattern) => typeof pattern !== 'string' || pattern === '')) {
    throw new DefinitionError(`${place}: glob is ${quote(glob)}; accepted: a pattern such as '*.csv', or several`);
  }
  const compiled = (patterns as readonly string[]).map((pattern) => {
    // `!(a|b).csv` is a pattern of its own kind
    const excludes = pattern.startsWith('!') && !pattern.startsWith('!(');
    const body = excludes ? pattern.slice(1) : pattern;
    return { excludes, matches: picomatch(body, { dot: hidden || excludes, basename: !body.includes('/') }) };
  });
  const excluding = compiled.filter(({ excludes }) => excludes);
  const including = compiled.filter(({ excludes }) => !excludes);
  return (relativePath) =>
    (including.length === 0 || including.some(({ matches }) => matches(relativePath))) &&
    !excluding.some(({ matches }) => matches(relativePath));
}
