/**
 * The files in a directory, without looking at each: names and what kind of entry they are.
 *
 * Links to files are followed; so are links to folders in a recursive walk. A folder that can be reached twice is listed
 * once, under its own place rather than a link's, so a link to a folder above it ends there. What cannot be read is
 * reported and holds up nothing else; only the directory itself must be there.
 */
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EvaluationError } from '../sensors/errors.js';
import { decodeName, fsPath } from './file-names.js';

export interface Entry {
  /** Where to open it; `fsPath` takes it. */
  readonly path: string;
  /** From the directory, with `/` between names. */
  readonly relativePath: string;
}

/** Something in the directory that cannot be read. */
export interface FileProblem {
  /** From the directory, with `/` between names. */
  readonly relativePath: string;
  /** Such as `permission denied` or `a link to nothing`. */
  readonly reason: string;
}

export interface WalkOptions {
  readonly recursive: boolean;
  /** Whether names that begin with a dot count. */
  readonly hidden: boolean;
  readonly matches: (relativePath: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Walked {
  /** By relative path. */
  readonly entries: readonly Entry[];
  readonly problems: readonly FileProblem[];
}

/**
 * @throws {@link EvaluationError} when `root` is not a directory that can be read
 */
export async function walk(root: string, options: WalkOptions): Promise<Walked> {
  const { recursive, hidden, matches, signal } = options;
  const entries: Entry[] = [];
  const problems: FileProblem[] = [];
  const visited = new Set<string>();
  const folders: Entry[] = [{ path: root, relativePath: '' }];
  const links: Entry[] = [];
  // links come last: what they lead to may have been reached at its own place by then
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop() ?? links.shift()) {
    signal?.throwIfAborted();
    try {
      if (recursive && !(await isNew(folder, visited))) continue;
      const found = await readdir(fsPath(folder.path), { withFileTypes: true, encoding: 'buffer' });
      const named = found.map((entry) => ({ entry, name: decodeName(entry.name) }));
      for (const { entry, name } of named.sort((a, b) => compareText(a.name, b.name))) {
        if (!hidden && name.startsWith('.')) continue;
        const each: Entry = {
          path: join(folder.path, name),
          relativePath: folder.relativePath === '' ? name : `${folder.relativePath}/${name}`,
        };
        const kind = entry.isSymbolicLink() ? await resolveLink(each) : kindOf(entry);
        if (kind === 'file' && matches(each.relativePath)) entries.push(each);
        else if (kind === 'folder' && recursive) (entry.isSymbolicLink() ? links : folders).push(each);
        else if (typeof kind === 'object' && (recursive || matches(each.relativePath))) problems.push(kind);
      }
    } catch (error) {
      if (folder.relativePath === '') throw notReadable(root, error);
      if (!isGone(error)) problems.push(problemOf(folder, error));
    }
  }
  entries.sort((a, b) => compareText(a.relativePath, b.relativePath));
  return { entries, problems };
}

async function isNew({ path }: Entry, visited: Set<string>): Promise<boolean> {
  const { dev, ino } = await stat(fsPath(path), { bigint: true });
  const identity = `${dev}:${ino}`;
  if (visited.has(identity)) return false;
  visited.add(identity);
  return true;
}

type Kind = 'file' | 'folder' | 'other';

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): Kind {
  if (entry.isFile()) return 'file';
  return entry.isDirectory() ? 'folder' : 'other';
}

async function resolveLink(entry: Entry): Promise<Kind | FileProblem> {
  try {
    return kindOf(await stat(fsPath(entry.path)));
  } catch (error) {
    if (!isGone(error)) return problemOf(entry, error);
    const isThere = await lstat(fsPath(entry.path)).then(
      () => true,
      () => false
    );
    return isThere ? { relativePath: entry.relativePath, reason: 'a link to nothing' } : 'other';
  }
}

export function problemOf({ relativePath }: Entry, error: unknown): FileProblem {
  return { relativePath, reason: REASONS[codeOf(error)] ?? codeOf(error) };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'a link that leads back to itself',
  ENAMETOOLONG: 'its path is too long',
};

/** Deleted after it was listed: as if it had never been there. */
export function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

function notReadable(root: string, error: unknown): unknown {
  const why = WHY_NOT_READABLE[codeOf(error)];
  if (why === undefined) return error;
  return new EvaluationError(`the directory ${JSON.stringify(root)} ${why}`, { cause: error });
}

const WHY_NOT_READABLE: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a directory',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  ELOOP: 'cannot be read: it is a link that leads back to itself',
};

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
