import { appendFile, chmod, mkdir, mkdtemp, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DefinitionError, defineJob, type SensorDefinition } from '../../src/index.js';
import {
  directorySensor,
  fsPath,
  listFiles,
  watchDirectory,
  type DirectorySensorOptions,
  type DirectoryWatch,
} from '../../src/sources/directory.js';
import { Ticks } from '../support/ticks.js';

const job = defineJob({ name: 'process', config: z.object({ path: z.string() }) });
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-directory-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const write = (name: string, text = name): Promise<void> => writeFile(at(name), text);
const old = new Date('2020-01-01T00:00:00Z');

/** Everything counts at once, unless the test is about that. */
function watching(options: Partial<DirectorySensorOptions<typeof job>> = {}): SensorDefinition {
  return directorySensor({
    name: 'inbox',
    path: folder,
    job,
    stableFor: 0,
    request: ({ path }) => ({ config: { path } }),
    ...options,
  });
}

describe('a sensor over a directory, by name', () => {
  test('runs each file once, and is quiet when nothing is new', async () => {
    const ticks = new Ticks(watching());
    await write('b.csv');
    await write('a.csv');
    expect(await ticks.tick()).toMatchObject({
      started: ['a.csv', 'b.csv'],
      configs: [{ path: at('a.csv') }, { path: at('b.csv') }],
    });
    expect(await ticks.tick()).toMatchObject({
      asked: 0,
      quiet: true,
      skipReason: `no new files in ${folder} (2 known)`,
    });
    await write('c.csv');
    await write('a.csv', 'changed');
    expect(await ticks.tick()).toMatchObject({ started: ['c.csv'], asked: 1 });
    expect((await ticks.tick()).quiet).toBe(true);
  });

  test('is quiet when files are deleted, and does not run them again when they come back', async () => {
    const ticks = new Ticks(watching());
    await write('a.csv');
    await write('b.csv');
    await ticks.tick();
    await rm(at('a.csv'));
    expect(await ticks.tick()).toMatchObject({ quiet: true, asked: 0 });
    await write('c.csv');
    expect((await ticks.tick()).started).toEqual(['c.csv']);
    await write('a.csv');
    expect((await ticks.tick()).started).toEqual([]);
  });

  test('finds files that are moved in with an old time, alone and with their folder', async () => {
    const ticks = new Ticks(watching({ recursive: true }));
    await mkdir(at('inbox/day'), { recursive: true });
    const outside = await mkdtemp(join(tmpdir(), 'temporal-sensors-outside-'));
    try {
      for (const path of ['inbox/new.csv', 'inbox/day/new.csv']) await write(path);
      await ticks.tick();
      await mkdir(join(outside, 'older'));
      for (const path of ['old.csv', 'older/old.csv']) {
        await writeFile(join(outside, path), '');
        await utimes(join(outside, path), old, old);
      }
      await rename(join(outside, 'old.csv'), at('inbox/old.csv'));
      await rename(join(outside, 'older'), at('inbox/older'));
      expect((await ticks.tick()).started).toEqual(['inbox/old.csv', 'inbox/older/old.csv']);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test('asks for everything once on another worker, and for nothing if nothing changed', async () => {
    const first = new Ticks(watching());
    await Promise.all(Array.from({ length: 50 }, (_, n) => write(`${n}.csv`)));
    expect((await first.tick()).asked).toBe(50);
    const second = new Ticks(watching());
    second.cursor = first.cursor;
    expect(await second.tick()).toMatchObject({ asked: 0, quiet: true });
    await write('new.csv');
    expect((await second.tick()).asked).toBe(51);
    await write('newer.csv');
    expect((await second.tick()).started).toEqual(['newer.csv']);
  });

  test('has a cursor of the same size for ten files and for two thousand', async () => {
    const { cursor } = await tickOver(10);
    expect(JSON.stringify((await tickOver(2_000)).cursor).length - JSON.stringify(cursor).length).toBeLessThan(5);
  });

  async function tickOver(count: number): Promise<Ticks> {
    const ticks = new Ticks(watching());
    for (let n = 0; n < count; n += 500) {
      await Promise.all(Array.from({ length: Math.min(500, count - n) }, (_, i) => write(`${n + i}.csv`, '')));
    }
    expect((await ticks.tick()).started).toHaveLength(count);
    return ticks;
  }

  test('takes what the author says: a run key, tags, or nothing', async () => {
    const ticks = new Ticks(
      watching({
        request: ({ name, path, size }) =>
          name.startsWith('no') ? null : { runKey: `${name}/${size}`, config: { path } },
      })
    );
    await write('yes.csv', '12345');
    await write('no.csv');
    expect((await ticks.tick()).started).toEqual(['yes.csv/5']);
    await write('no more.csv');
    expect(await ticks.tick()).toMatchObject({
      started: [],
      skipReason: `nothing to run for 1 new files in ${folder} (2 known)`,
    });
    expect((await ticks.tick()).quiet).toBe(true);
  });
});

describe('a sensor over a directory, by modification time', () => {
  test('runs each version of a file once', async () => {
    const ticks = new Ticks(watching({ by: 'modified' }));
    await write('a.csv', 'one');
    await utimes(at('a.csv'), old, old);
    expect((await ticks.tick()).started).toEqual(['a.csv@2020-01-01T00:00:00.000Z:3']);
    expect((await ticks.tick()).quiet).toBe(true);
    await chmod(at('a.csv'), 0o600);
    expect((await ticks.tick()).quiet).toBe(true);
    // another content, and the same time again: `mv` and `cp -p` keep it
    await write('a.csv', 'three');
    await utimes(at('a.csv'), old, old);
    expect((await ticks.tick()).started).toEqual(['a.csv@2020-01-01T00:00:00.000Z:5']);
    await utimes(at('a.csv'), new Date(), new Date(old.getTime() - 1000));
    expect((await ticks.tick()).started).toEqual(['a.csv@2019-12-31T23:59:59.000Z:5']);
  });

  test('asks for what has changed only', async () => {
    const ticks = new Ticks(watching({ by: 'modified' }));
    await Promise.all(Array.from({ length: 50 }, (_, n) => write(`${n}.csv`)));
    await ticks.tick();
    await write('7.csv', 'changed');
    expect((await ticks.tick()).asked).toBe(1);
  });
});

describe('files that are being written', () => {
  test('are left for a later tick, and the others go on', async () => {
    const ticks = new Ticks(watching({ stableFor: '300ms' }));
    await write('complete.csv');
    const writer = setInterval(() => void appendFile(at('growing.csv'), 'more\n'), 20);
    try {
      await expect.poll(async () => (await listFiles(folder, { stableFor: 0 })).files.length).toBe(2);
      const tick = await ticks.tick();
      expect(tick.started).toEqual(['complete.csv']);
      expect(await ticks.tick()).toMatchObject({
        quiet: true,
        skipReason: `no new files in ${folder} (1 known, 1 being written)`,
      });
    } finally {
      clearInterval(writer);
    }
    await expect.poll(async () => (await ticks.tick()).started, { timeout: 10_000 }).toEqual(['growing.csv']);
  });

  test('are waited for no longer than the evaluation may last', async () => {
    const ticks = new Ticks(watching({ stableFor: '1 hour' }));
    await write('new.csv');
    expect((await ticks.tick()).skipReason).toContain('1 being written');
    const aborted = AbortSignal.abort(new Error('timeout'));
    await expect(new Ticks(watching({ stableFor: '2s' })).tick({ signal: aborted })).rejects.toThrow('timeout');
  });
});

describe('names', () => {
  test('that are hidden count when the author wants them', async () => {
    for (const name of ['.a.csv', 'a.csv']) await write(name);
    await mkdir(at('.git'));
    await write('.git/config');
    expect((await new Ticks(watching({ recursive: true })).tick()).started).toEqual(['a.csv']);
    expect((await new Ticks(watching({ recursive: true, hidden: true })).tick()).started).toEqual([
      '.a.csv',
      '.git/config',
      'a.csv',
    ]);
  });

  test.each([
    [{ glob: '*.csv' }, ['a.csv']],
    [{ glob: '*.csv', recursive: true }, ['a.csv', 'sub/a.csv', 'sub/deep/b.csv']],
    [{ glob: 'sub/*.csv', recursive: true }, ['sub/a.csv']],
    [{ glob: 'sub/**', recursive: true }, ['sub/a.csv', 'sub/a.tmp', 'sub/deep/b.csv']],
    [{ glob: ['*.{csv,txt}', '!a.*'], recursive: true }, ['b.txt', 'sub/deep/b.csv']],
    [{ glob: '!*.csv' }, ['b.txt']],
  ])('are chosen by %o', async (options, expected) => {
    await mkdir(at('sub/deep'), { recursive: true });
    for (const path of ['a.csv', 'b.txt', 'sub/a.csv', 'sub/a.tmp', 'sub/deep/b.csv']) await write(path);
    expect((await new Ticks(watching(options)).tick()).started).toEqual(expected);
  });

  test.skipIf(process.platform !== 'linux')('are data: line breaks, quotes, and bytes that are not UTF-8', async () => {
    const latin = Buffer.concat([Buffer.from(at('caf')), Buffer.from([0xe9]), Buffer.from('.csv')]);
    const other = Buffer.concat([Buffer.from(at('caf')), Buffer.from([0xe8]), Buffer.from('.csv')]);
    for (const path of [latin, other]) await writeFile(path, 'latin');
    await write('line\nbreak "quoted" [1].csv');
    await write('__proto__');
    await write('😀\ufffd.csv');
    const ticks = new Ticks(watching());
    const { started, configs } = await ticks.tick();
    expect(new Set(started).size).toBe(5);
    expect(started).toContain('line\nbreak "quoted" [1].csv');
    // through JSON, as the job gets it
    const paths = (JSON.parse(JSON.stringify(configs)) as { path: string }[]).map(({ path }) => path);
    for (const path of paths) await (await open(fsPath(path))).close();
    expect((await ticks.tick()).quiet).toBe(true);
  });
});

describe('links', () => {
  test('to files and folders are followed, each folder is listed once, and broken ones are reported', async () => {
    await mkdir(at('real/inner'), { recursive: true });
    await write('real/inner/a.csv');
    await write('b.csv');
    await symlink(folder, at('real/inner/up'));
    await symlink('real', at('also-real'));
    await symlink('b.csv', at('link.csv'));
    await symlink('missing', at('broken.csv'));
    await symlink('loop', at('loop'));
    const ticks = new Ticks(watching({ recursive: true }));
    expect(await ticks.tick()).toMatchObject({
      started: ['b.csv', 'link.csv', 'real/inner/a.csv'],
      warnings: ['cannot read "broken.csv": a link to nothing', 'cannot read "loop": a link that leads back to itself'],
    });
    expect(await ticks.tick()).toMatchObject({
      quiet: true,
      skipReason: `no new files in ${folder} (3 known, 2 cannot be read)`,
      warnings: [],
    });
  });

  test('to a folder outside are followed', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'temporal-sensors-outside-'));
    try {
      await writeFile(join(outside, 'a.csv'), '');
      await symlink(outside, at('mounted'));
      const { started } = await new Ticks(watching({ recursive: true })).tick();
      expect(started).toEqual(['mounted/a.csv']);
    } finally {
      await rm(outside, { recursive: true });
    }
  });
});

describe('what cannot be read', () => {
  test('is reported, and the readable files go on', async () => {
    await mkdir(at('locked'));
    await write('locked/a.csv');
    await write('secret.csv');
    await write('b.csv');
    await chmod(at('secret.csv'), 0);
    await chmod(at('locked'), 0);
    await chmod(folder, 0o755);
    const ticks = new Ticks(watching({ recursive: true }));
    // root may read everything
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await ticks.tick()).toMatchObject({
        started: ['b.csv'],
        warnings: ['cannot read "locked": permission denied', 'cannot read "secret.csv": permission denied'],
      });
      expect((await ticks.tick()).skipReason).toBe(`no new files in ${folder} (1 known, 2 cannot be read)`);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    await chmod(at('secret.csv'), 0o644);
    await chmod(at('locked'), 0o755);
    expect((await ticks.tick()).started).toEqual(['locked/a.csv', 'secret.csv']);
  });

  test('is a failed tick when it is the directory itself: missing, vanished, or a file', async () => {
    await write('file');
    const missing = new Ticks(watching({ path: at('missing') }));
    await expect(missing.tick()).rejects.toThrow(`the directory ${JSON.stringify(at('missing'))} does not exist`);
    await expect(new Ticks(watching({ path: at('file') })).tick()).rejects.toThrow('is not a directory');
    const ticks = new Ticks(watching());
    await ticks.tick();
    await rm(folder, { recursive: true });
    await expect(ticks.tick()).rejects.toThrow('does not exist');
    await mkdir(folder);
    await write('file');
    expect(await ticks.tick()).toMatchObject({ started: [], quiet: true });
  });
});

test('files that are deleted while they are listed are left out', async () => {
  const names = Array.from({ length: 200 }, (_, n) => `${n}.csv`);
  await Promise.all(names.map((name) => write(name)));
  const listing = listFiles(folder, { stableFor: 0 });
  await Promise.all(names.map((name) => rm(at(name))));
  expect((await listing).problems).toEqual([]);
});

test.each([
  [{ path: '' }, `sensor 'inbox': path is ''; accepted: the path of a directory`],
  [{ by: 'size' }, `sensor 'inbox': by is 'size'; accepted: 'name' or 'modified'`],
  [{ glob: [] as string[], stableFor: 'soon' }, `sensor 'inbox': stableFor is 'soon'`],
  [{ glob: [''] }, `sensor 'inbox': glob is [""]`],
  [{ request: {} }, `sensor 'inbox': request is {}; accepted: a function that says what to run`],
  [{ interval: '1 ms' }, `sensor 'inbox': interval is '1 ms', which is out of range`],
  [{ cursor: z.number() }, `sensor 'inbox' has an option 'cursor', which a ready-made`],
])('a sensor over a directory refuses %o', (options, message) => {
  const define = (): unknown => watching(options as never);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

const POLL = { timeout: 20_000, interval: 50 };

describe('a watch', () => {
  let watch: DirectoryWatch | undefined;
  afterEach(() => watch?.close());

  test('nudges the sensor when something happens, once for what happens together', async () => {
    let nudges = 0;
    const push = (): Promise<void> => Promise.resolve(void nudges++);
    watch = watchDirectory({ push }, 'inbox', folder, { debounce: '200ms' });
    await expect.poll(() => nudges, POLL).toBe(1);
    await Promise.all(Array.from({ length: 100 }, (_, n) => write(`${n}.csv`)));
    await expect.poll(() => nudges, POLL).toBeGreaterThan(1);
    expect(nudges).toBeLessThan(5);
  });

  test('ends when it is closed', async () => {
    const nudged: string[] = [];
    const push = (sensor: string): Promise<void> => Promise.resolve(void nudged.push(sensor));
    const closed = watchDirectory({ push }, 'closed', folder, { debounce: '10ms' });
    await expect.poll(() => nudged, POLL).toEqual(['closed']);
    await closed.close();
    watch = watchDirectory({ push }, 'open', folder, { debounce: '50ms' });
    await expect.poll(() => nudged, POLL).toEqual(['closed', 'open']);
    await write('a.csv');
    await expect.poll(() => nudged.length, POLL).toBeGreaterThan(2);
    expect(nudged.slice(1)).not.toContain('closed');
  });

  test('survives a directory that is missing and a sensor that cannot be reached', async () => {
    const errors: string[] = [];
    let failures = 2;
    let nudges = 0;
    const push = (): Promise<void> => {
      if (failures-- > 0) return Promise.reject(new Error('no server'));
      return Promise.resolve(void nudges++);
    };
    const onError = ({ message }: Error): void => void errors.push(message);
    watch = watchDirectory({ push }, 'inbox', at('later'), { debounce: '10ms', onError });
    await expect.poll(() => errors, POLL).toContainEqual(expect.stringContaining('ENOENT'));
    await mkdir(at('later'));
    await expect.poll(() => errors, POLL).toContain('no server');
    await expect
      .poll(async () => {
        await write('later/a.csv');
        return nudges;
      }, POLL)
      .toBeGreaterThan(0);
  });
});
