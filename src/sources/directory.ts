/**
 * A sensor over a directory: one run for each file, or for each version of it.
 *
 * Times do not tell which files are new: a file that is moved in keeps its old one, and so do the files of a folder that
 * is moved in or of a disk that is mounted. So the sensor compares sets. Its cursor is a hash of what the directory held
 * when it last found something, however much that was; as long as the hash is the same, nothing is new. When it differs,
 * the worker that made the cursor knows the set and asks for the new files only; another worker asks for all of them
 * once, and the run keys sort out what has run. What is deleted changes nothing.
 */
import { z } from 'zod';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import { Listing, type DirectoryFile, type ListOptions, type LookedAt } from './list-files.js';
import {
  checkSourceOptions,
  requestRuns,
  type SourceContext,
  type SourceOptions,
  type SourceRequest,
} from './source-options.js';
import type { Entry, FileProblem } from './walk.js';
import { shortHash } from '../sensors/short-hash.js';
export { fsPath } from './file-names.js';
export { listFiles, type DirectoryFile, type ListedFiles, type ListOptions } from './list-files.js';
export { watchDirectory, type DirectoryWatch, type WatchOptions } from './watch-directory.js';
export type { SourceRequest } from './source-options.js';
export type { FileProblem } from './walk.js';

const cursorSchema = z
  .object({
    /** How many files the directory held. */
    files: z.int().min(0),
    /** SHA-256 of them, shortened. */
    digest: z.string(),
  })
  .optional();

export interface DirectorySensorOptions<J extends JobDefinition, R extends Resources = {}>
  extends SourceOptions<J, R>, ListOptions {
  /** The directory; relative to where the worker was started. It must exist: without it the tick fails. */
  readonly path: string;
  /**
   * What makes a file new: its name, or also its modification time and size. @default 'name'
   */
  readonly by?: 'name' | 'modified';
  /**
   * What to run for a file; `null` or `undefined` for nothing, now or later. Without a `runKey` it is the relative path,
   * followed by time and size when they count.
   */
  readonly request: (
    file: DirectoryFile,
    ctx: SourceContext<typeof cursorSchema, R>
  ) => SourceRequest<J> | Promise<SourceRequest<J>>;
}

/**
 * Defines a sensor that runs `job` once for each file in a directory, or with `by: 'modified'` once for each version of
 * each file.
 *
 * ```ts
 * export const inbox = directorySensor({
 *   name: 'inbox',
 *   path: './inbox',
 *   glob: '*.csv',
 *   job: processFile,
 *   interval: '10s',
 *   request: (file) => ({ config: { path: file.path } }),
 * });
 * ```
 *
 * Files that are being written are left for a later tick (`stableFor`), those that cannot be read are reported and hold
 * up nothing else. With `dedupe`, files must leave the directory before their keys are forgotten.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function directorySensor<J extends JobDefinition, const R extends Resources = {}>(
  options: DirectorySensorOptions<J, R>
): SensorDefinition {
  const { path, glob, recursive, hidden, stableFor, by = 'name', request, ...sensor } = options;
  checkSourceOptions(options);
  const place = `sensor '${options.name}'`;
  if (by !== 'name' && by !== 'modified') {
    throw new DefinitionError(`${place}: by is ${quote(by)}; accepted: 'name' or 'modified'`);
  }
  const watched = new WatchedDirectory(new Listing(path, { glob, recursive, hidden, stableFor }, place), by);

  const evaluate = async (ctx: SourceContext<typeof cursorSchema, R>) => {
    const { files, cursor, about } = await watched.news(ctx);
    if (cursor === undefined) return ctx.skip(`no new files in ${path} (${about})`);
    ctx.setCursor(cursor);
    const runs = await requestRuns(ctx, files, request, (file) => runKeyOf(file, by));
    return runs.length > 0 ? runs : ctx.skip(`nothing to run for ${files.length} new files in ${path} (${about})`);
  };
  return defineSensor({
    description: `Files in ${path}`,
    ...sensor,
    cursor: cursorSchema,
    evaluate,
  });
}

function runKeyOf({ relativePath, modifiedAt, size }: DirectoryFile, by: 'name' | 'modified'): string {
  return by === 'name' ? relativePath : `${relativePath}@${modifiedAt.toISOString()}:${size}`;
}

interface News {
  readonly files: readonly DirectoryFile[];
  /** Absent: there are none. */
  readonly cursor?: { readonly files: number; readonly digest: string };
  /** What else there is to say. */
  readonly about: string;
}

/** A file and what makes it itself: its name, or its version. */
interface Candidate {
  readonly identity: string;
  readonly entry: Entry;
  /** If it was looked at to tell its version. */
  readonly looked?: LookedAt;
}

/** What this worker knows of the directory. */
class WatchedDirectory {
  /** The set that a cursor stands for. */
  private known: { readonly digest: string; readonly identities: ReadonlySet<string> } | undefined;
  private reported = '';

  constructor(
    private readonly listing: Listing,
    private readonly by: 'name' | 'modified'
  ) {}

  async news({ cursor, signal, log }: SourceContext<typeof cursorSchema>): Promise<News> {
    const walked = await this.listing.walk(signal);
    const { candidates, problems } = await this.identify(walked.entries, signal);
    const unknown = this.unknown(candidates, cursor?.digest);
    const complete = await this.complete(unknown, signal);
    const allProblems = [...walked.problems, ...problems, ...complete.problems];
    this.report(allProblems, log);
    const about = [
      `${candidates.length - unknown.length} known`,
      ...(complete.changing === 0 ? [] : [`${complete.changing} being written`]),
      ...(allProblems.length === 0 ? [] : [`${allProblems.length} cannot be read`]),
    ].join(', ');
    const { files } = complete;
    if (files.length === 0) return { files: [], about };

    const isLeft = new Set(unknown.map(({ identity }) => identity));
    for (const { entry, identity } of unknown) if (complete.paths.has(entry.path)) isLeft.delete(identity);
    const identities = candidates.map(({ identity }) => identity).filter((identity) => !isLeft.has(identity));
    const digest = digestOf(identities);
    this.known = { digest, identities: new Set(identities) };
    return { files, cursor: { files: identities.length, digest }, about };
  }

  private async identify(
    entries: readonly Entry[],
    signal: AbortSignal
  ): Promise<{ readonly candidates: readonly Candidate[]; readonly problems: readonly FileProblem[] }> {
    // names need no look at each file, which takes most of the time in a large directory
    if (this.by === 'name') {
      return { candidates: entries.map((entry) => ({ identity: entry.relativePath, entry })), problems: [] };
    }
    const { files, problems } = await this.listing.look(entries, signal);
    const candidates = files.map((looked) => {
      const { entry, mtimeMs, file } = looked;
      return { identity: `${entry.relativePath}\0${mtimeMs}\0${file.size}`, entry, looked };
    });
    return { candidates, problems };
  }

  /** Those that the cursor does not stand for, as far as this worker knows. */
  private unknown(candidates: readonly Candidate[], digest: string | undefined): readonly Candidate[] {
    if (digestOf(candidates.map(({ identity }) => identity)) === digest) return [];
    const known = this.known !== undefined && this.known.digest === digest ? this.known.identities : undefined;
    return candidates.filter(({ identity }) => known?.has(identity) !== true);
  }

  /** Those that can be read and no longer change. */
  private async complete(candidates: readonly Candidate[], signal: AbortSignal) {
    const without = candidates.filter(({ looked }) => looked === undefined).map(({ entry }) => entry);
    const looked = await this.listing.look(without, signal);
    const all = [...candidates.map((each) => each.looked).filter((each) => each !== undefined), ...looked.files];
    const complete = await this.listing.complete(all, signal);
    return {
      files: complete.files.map(({ file }) => file),
      paths: new Set(complete.files.map(({ entry }) => entry.path)),
      changing: complete.changing,
      problems: [...looked.problems, ...complete.problems],
    };
  }

  /** Warns of what cannot be read when that changes, and not at every tick. */
  private report(problems: readonly FileProblem[], log: SourceContext<typeof cursorSchema>['log']): void {
    // as JSON: names are data, and may hold line breaks
    const report = problems.map(({ relativePath, reason }) => `${JSON.stringify(relativePath)}: ${reason}`);
    if (report.join() === this.reported) return;
    this.reported = report.join();
    for (const line of report.slice(0, MAX_REPORTED)) log.warn(`cannot read ${line}`);
    if (report.length > MAX_REPORTED) log.warn(`cannot read ${report.length - MAX_REPORTED} more`);
  }
}

const MAX_REPORTED = 20;

/** Stands for a set, in the order of the listing. */
function digestOf(identities: readonly string[]): string {
  // utf16le keeps lone surrogates apart, which stand for bytes that are not UTF-8
  const bytes = Buffer.from(identities.join('\0\0'), 'utf16le');
  return shortHash(bytes);
}
