/** What files contain, as SHA-256 in 64 hexadecimal digits. */
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** A file written to less than this ago may not be complete. */
const SETTLE_MS = 1_000;

/** Hashes a file without holding it in memory. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

/** The hashes of files that come and go. Reads a file again only when it looks changed; remembers in this process. */
export class FileHashes {
  readonly #known = new Map<string, { readonly look: string; readonly sha256: string }>();

  /** The file's hash; `settling` while it is being written; `undefined` when it is gone or not a regular file. */
  async of(path: string, signal: AbortSignal): Promise<string | 'settling' | undefined> {
    try {
      const before = await stat(path);
      if (!before.isFile()) return undefined;
      // a time in the future is somebody else's clock, and no reason to wait for it
      if (Math.abs(Date.now() - before.mtimeMs) < SETTLE_MS) return 'settling';
      const known = this.#known.get(path);
      if (known?.look === lookOf(before)) return known.sha256;
      const sha256 = await hashFile(path, signal);
      if (lookOf(await stat(path)) !== lookOf(before)) return 'settling';
      this.#known.set(path, { look: lookOf(before), sha256 });
      return sha256;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Forgets the files that are not among these. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
  }
}

/** Changes with every write, also when the modification time is set back (the change time cannot be). */
function lookOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [ino, size, mtimeMs, ctimeMs].join(':');
}
