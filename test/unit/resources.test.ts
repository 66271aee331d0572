import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  buildResources,
  DefinitionError,
  defineResource,
  defineSensor,
  env,
  ResourceError,
  withResources,
  type ResourceDefinition,
  type Resources,
} from '../../src/index.js';
import { resolveEnv } from '../../src/sensors/env.js';
import { evaluate as evaluateSensor } from '../../src/sensors/evaluation.js';
import { ResourceContainer } from '../../src/sensors/resource-container.js';
import { collectResources } from '../../src/sensors/resource-names.js';
import { SensorsPlugin } from '../../src/worker/index.js';

const never = new AbortController().signal;
const evaluate = () => null;

/** Resources that write down when they are made and disposed of. */
function diary() {
  const lines: string[] = [];
  const resource = (name: string, options: Partial<Parameters<typeof defineResource>[0]> = {}) => {
    let made = 0;
    return defineResource({
      ...options,
      create: () => {
        lines.push(`+${name}`);
        return `${name}${++made}`;
      },
      dispose: (value) => void lines.push(`-${String(value)}`),
    });
  };
  return { lines, resource };
}

/** The container of a worker, with what it reported. */
function containerOf(resources: Resources, config: Record<string, unknown> = {}, environment = {}) {
  const reports: string[] = [];
  const container = new ResourceContainer({
    definitions: collectResources([{ place: 'this test', resources }]),
    config,
    environment,
    report: (message, error) => reports.push(`${message}: ${(error as Error).message}`),
  });
  return { container, reports };
}

test('what a resource depends on is made before it and disposed of after it, once each', async () => {
  const { lines, resource } = diary();
  const credentials = resource('credentials');
  const network = resource('network');
  const database = resource('database', { dependsOn: { credentials, network } });
  const cache = resource('cache', { dependsOn: { database, credentials } });
  const { resources, dispose } = await buildResources({ cache, network });
  expect(resources).toEqual({ cache: 'cache1', network: 'network1' });
  expect(lines).toEqual(['+credentials', '+network', '+database', '+cache']);
  await dispose();
  await dispose();
  expect(lines.slice(4)).toEqual(['-cache1', '-database1', '-network1', '-credentials1']);
});

test('config is parsed with defaults and values from the environment, for resources that are only depended on too', async () => {
  const server = defineResource({
    config: z.object({ host: z.string(), port: z.coerce.number(), options: z.array(z.object({ ca: z.string() })) }),
    create: ({ config }) => config,
  });
  const plain = defineResource({
    config: z.object({ retries: z.number().default(3) }),
    create: ({ config }) => config,
  });
  const database = defineResource({
    dependsOn: { server, plain },
    create: ({ resources, config }) => ({ ...resources, config }),
  });
  const { resources } = await buildResources(
    { database },
    {
      config: { server: { host: env('HOST'), port: env('PORT', '5432'), options: [{ ca: env('CA') }] } },
      env: { HOST: 'db', CA: 'root' },
    }
  );
  expect(resources.database).toEqual({
    server: { host: 'db', port: 5432, options: [{ ca: 'root' }] },
    plain: { retries: 3 },
    config: undefined,
  });
});

test('values from the environment keep everything else as it is', () => {
  const sign = (): string => 'signed';
  class Provider {
    readonly name = env('NOT_READ');
  }
  const provider = new Provider();
  const circular: Record<string, unknown> = { kind: 'env', name: 'PATH' };
  circular['self'] = circular;
  const resolved = resolveEnv({ sign, provider, circular, at: new Date(5), list: [env('A')] }, 'config', { A: '1' });
  expect(resolved).toEqual({ sign, provider, circular, at: new Date(5), list: ['1'] });
  expect((resolved as { provider: unknown }).provider).toBe(provider);
});

test.each([
  [undefined, 'config.bucket: Invalid input: expected string, received undefined'],
  [{ bucket: 7 }, 'config.bucket: Invalid input: expected string, received number'],
  [{ bucket: 'SECRET', regoin: 'SECRET' }, 'config: Unrecognized key: "regoin"'],
  [{ bucket: env('BUCKET') }, `config.bucket: the environment variable 'BUCKET' is not set; set it, or give a default`],
])('config %o is an error that names the resource, path and expectation, never the value', async (config, message) => {
  const s3 = defineResource({ config: z.strictObject({ bucket: z.string() }), create: () => 's3' });
  const { container } = containerOf({ s3 }, config === undefined ? {} : { s3: config });
  const error = await container.use({ s3 }, never, () => 'not reached').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ResourceError);
  expect((error as ResourceError).message).toMatch(/^resource 's3' could not be created: /);
  expect((error as ResourceError).message).toContain(message);
  expect((error as ResourceError).message).not.toContain('SECRET');
  expect(error).toMatchObject({ resource: 's3' });
});

test('a failing create names every resource on the way, is not kept, and leaves the others to be disposed of', async () => {
  const { lines, resource } = diary();
  let up = false;
  const server = defineResource({
    create: () => {
      if (!up) throw new TypeError('the server is down');
      return 'server';
    },
  });
  const first = resource('first');
  const database = resource('database', { dependsOn: { first, server } });
  const { container } = containerOf({ database });
  const attempt = () => container.use({ database }, never, (built) => built.database);
  await expect(attempt()).rejects.toThrow(
    `resource 'database' could not be created: resource 'server' could not be created: TypeError: the server is down`
  );
  up = true;
  expect(await attempt()).toBe('database1');
  expect(lines).toEqual(['+first', '+database']);

  const broken = defineResource({ create: () => Promise.reject('a text') });
  await expect(buildResources({ first, broken })).rejects.toThrow(
    `resource 'broken' could not be created: create threw 'a text', which is not an Error`
  );
  expect(lines.slice(2)).toEqual(['+first', '-first2']);
  const empty = defineResource({ create: () => undefined });
  await expect(buildResources({ empty })).rejects.toThrow(`resource 'empty' could not be created: create gave nothing`);
});

test('those who ask at once share one creation; afterwards they share the instance', async () => {
  let made = 0;
  const slow = defineResource({ create: () => delay(5, { number: ++made }) });
  const { container } = containerOf({ slow });
  const ask = () => container.use({ slow }, never, (built) => built.slow);
  const [a, b] = await Promise.all([ask(), ask()]);
  expect(a).toBe(b);
  expect(await ask()).toBe(a);
  expect(made).toBe(1);
});

test('one who gives up leaves a shared creation to the others; when the last has left it is aborted and over', async () => {
  const signals: AbortSignal[] = [];
  const disposed: unknown[] = [];
  const finish: ((value: string) => void)[] = [];
  const slow = defineResource({
    create: ({ signal }) => {
      signals.push(signal);
      return new Promise<string>((resolve) => finish.push(resolve));
    },
    dispose: (value) => void disposed.push(value),
  });
  const { container } = containerOf({ slow });
  const ask = (signal: AbortSignal) => container.use({ slow }, signal, (built) => built.slow);
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];

  const [first, second] = [ask(one.signal), ask(two.signal)];
  one.abort(new Error('this tick took too long'));
  await expect(first).rejects.toThrow(`resource 'slow' could not be created: Error: this tick took too long`);
  expect(signals[0]?.aborted).toBe(false);
  two.abort(new Error('so did this'));
  await expect(second).rejects.toMatchObject({ cause: two.signal.reason as unknown });
  expect(signals[0]?.aborted).toBe(true);

  // the next one does not wait for what was given up, whose late instance is disposed of
  const third = ask(three.signal);
  await vi.waitFor(() => expect(finish).toHaveLength(2));
  finish[0]?.('late');
  await vi.waitFor(() => expect(disposed).toEqual(['late']));
  finish[1]?.('in time');
  expect(await third).toBe('in time');
  await container.dispose();
  expect(disposed).toEqual(['late', 'in time']);
});

test('a creation that nobody gives up is aborted after 5 minutes', async () => {
  vi.useFakeTimers();
  try {
    const stuck = defineResource({ create: () => new Promise<string>(() => undefined) });
    const { container } = containerOf({ stuck });
    const asked = container.use({ stuck }, never, (built) => built.stuck);
    asked.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    await expect(asked).rejects.toThrow(`resource 'stuck' could not be created: Error: it did not end within 300 s`);
  } finally {
    vi.useRealTimers();
  }
});

test('a creation in progress when the worker ends is aborted, and its late instance disposed of', async () => {
  const disposed: unknown[] = [];
  let finish: (value: string) => void = () => undefined;
  const slow = defineResource({
    create: () => new Promise<string>((resolve) => (finish = resolve)),
    dispose: (value) => void disposed.push(value),
  });
  const { container } = containerOf({ slow });
  const asked = container.use({ slow }, never, (built) => built.slow);
  asked.catch(() => undefined);
  await container.dispose();
  await expect(asked).rejects.toThrow('what it belongs to has ended');
  await expect(container.use({ slow }, never, evaluate)).rejects.toThrow('what it belongs to has ended');
  finish('late');
  await vi.waitFor(() => expect(disposed).toEqual(['late']));
});

test('a dispose that throws or hangs is reported with its name; the others still run', async () => {
  vi.useFakeTimers();
  try {
    const { lines, resource } = diary();
    const first = resource('first');
    const throwing = defineResource({
      create: () => 1,
      dispose: () => {
        throw new Error('no');
      },
    });
    const rejecting = defineResource({ create: () => 1, dispose: () => Promise.reject(new Error('no again')) });
    const hanging = defineResource({ create: () => 1, dispose: () => new Promise<void>(() => undefined) });
    const all = { first, throwing, rejecting, hanging, last: resource('last') };
    const { container, reports } = containerOf(all);
    expect(await container.use(all, never, () => 'work')).toBe('work');
    const disposed = container.dispose();
    await vi.advanceTimersByTimeAsync(5_000);
    await disposed;
    expect(lines).toEqual(['+first', '+last', '-last1', '-first1']);
    expect(reports).toEqual([
      `resource 'hanging' could not be disposed of: dispose did not end within 5 s`,
      `resource 'rejecting' could not be disposed of: no again`,
      `resource 'throwing' could not be disposed of: no`,
    ]);

    const outside = await buildResources({ first, throwing });
    await expect(outside.dispose()).rejects.toThrow(
      expect.objectContaining({ name: 'AggregateError', message: `resource 'throwing' could not be disposed of` })
    );
    expect(lines.slice(4)).toEqual(['+first', '-first2']);
  } finally {
    vi.useRealTimers();
  }
});

test('a tick-scoped resource is made for each evaluation, once, and is gone when it ends, however it ends', async () => {
  const { lines, resource } = diary();
  const client = resource('client');
  const folder = resource('folder', { scope: 'tick', dependsOn: { client } });
  const upload = resource('upload', { scope: 'tick', dependsOn: { folder } });
  const { container } = containerOf({ upload });
  const tick = (end: () => unknown) =>
    container.use({ upload, folder }, never, (built) => {
      lines.push(Object.values(built).join(' '));
      return end();
    });
  await tick(() => null);
  await expect(
    tick(() => {
      throw new Error('this evaluation fails');
    })
  ).rejects.toThrow('this evaluation fails');
  expect(lines).toEqual([
    '+client',
    '+folder',
    '+upload',
    'upload1 folder1',
    '-upload1',
    '-folder1',
    '+folder',
    '+upload',
    'upload2 folder2',
    '-upload2',
    '-folder2',
  ]);
  await container.dispose();
  expect(lines.at(-1)).toBe('-client1');
});

test('circular dependencies are an error that shows the circle', async () => {
  const dependsOn: Record<string, ResourceDefinition> = {};
  const a = defineResource({ dependsOn, create: () => 'a' });
  const b = defineResource({ dependsOn: { a }, create: () => 'b' });
  dependsOn['c'] = defineResource({ dependsOn: { b }, create: () => 'c' });
  expect(() => defineSensor({ name: 's', resources: { b }, evaluate })).toThrow(
    `dependsOn of resource 'c': resources depend on each other in a circle: b → a → c → b`
  );
  await expect(buildResources({ a })).rejects.toThrow('a → c → b → a');

  const later = defineResource({
    dependsOn: {
      get self(): ResourceDefinition {
        return later;
      },
    },
    create: (): string => 'later',
  });
  expect(() => withResources({ later }, {})).toThrow('later → self');
});

test('an evaluation that was not given a resource of its sensor fails, naming both', async () => {
  const sensor = defineSensor({ name: 's', resources: { s3: defineResource({ create: () => 's3' }) }, evaluate });
  const facts = { cursor: undefined } as Parameters<typeof evaluateSensor>[1];
  const services = { resources: {} } as Parameters<typeof evaluateSensor>[2];
  await expect(evaluateSensor(sensor, facts, services)).rejects.toThrow(
    `sensor 's' needs resource 's3', which it was not given`
  );
});

test('a name stands for one definition in all sensors, activities and dependencies of a plugin', () => {
  const { resource } = diary();
  const sensor = (name: string, resources: Resources) => defineSensor({ name, resources, evaluate });
  const s3 = resource('s3');
  const other = resource('other', { dependsOn: { s3: resource('another') } });
  expect(() => new SensorsPlugin({ sensors: [sensor('a', { s3 }), sensor('b', { s3 })] })).not.toThrow();
  expect(() => new SensorsPlugin({ sensors: [sensor('a', { s3 }), sensor('b', { s3: resource('s3') })] })).toThrow(
    `the name 's3' stands for two different resources: one in sensor 'a', another in sensor 'b'; rename one of them`
  );
  expect(() => new SensorsPlugin({ sensors: [sensor('a', { s3 }), sensor('b', { other })] })).toThrow(
    `one in sensor 'a', another in dependsOn of resource 'other'`
  );
  const configure = (resourceConfig: Record<string, unknown>) => () =>
    new SensorsPlugin({ sensors: [sensor('a', { s3 })], resourceConfig }).configureWorker({
      taskQueue: 'queue',
      activities: withResources({ db: resource('db', { config: z.object({}) }) }, { query: () => null }),
    });
  expect(configure({ db: {} })).not.toThrow();
  expect(configure({ s4: {} })).toThrow(
    `SensorsPlugin: resourceConfig has an unknown resource 's4'; accepted: 's3', 'db'`
  );
  expect(configure({ s3: {} })).toThrow(`resource 's3' takes no config; give its definition a schema`);
  expect(() =>
    new SensorsPlugin({ sensors: [sensor('a', { s3 })] }).configureWorker({
      taskQueue: 'queue',
      activities: withResources({ s3: resource('s3') }, { download: () => null }),
    })
  ).toThrow(`one in sensor 'a', another in activity 'download'`);
});

test.each([
  [{ create: 'client' }, `a resource: create is 'client'; accepted: a function`],
  [{ dispose: 1 }, `a resource: dispose is 1; accepted: a function`],
  [{ scope: 'run' }, `a resource: scope is 'run'; accepted: 'worker' or 'tick'`],
  [{ config: { bucket: 'string' } }, `a resource: config is {"bucket":"string"}; accepted: a zod schema`],
  [{ teardown: evaluate }, `a resource has an unknown option 'teardown'; accepted: config, dependsOn`],
  [{ dependsOn: { s3: 's3' } }, `a resource: dependsOn.s3 is 's3'; accepted: what defineResource returned`],
  [
    { dependsOn: { s3: undefined } },
    `dependsOn.s3 is undefined; accepted: what defineResource returned (do two modules`,
  ],
  [
    { dependsOn: { folder: defineResource({ scope: 'tick', create: () => 'folder' }) } },
    `a resource depends on 'folder', which is made for each tick and gone at its end`,
  ],
])('defineResource refuses %o', (options, message) => {
  const define = (): unknown => defineResource({ create: evaluate, ...options } as never);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

test('other misuses are refused where they are written', async () => {
  const s3 = defineResource({ create: () => 's3' });
  expect(Object.isFrozen(s3)).toBe(true);
  expect(() => defineSensor({ name: 's', resources: { s3: {} as never }, evaluate })).toThrow(
    `sensor 's': resources.s3 is {}; accepted: what defineResource returned`
  );
  expect(() => withResources({ s3 }, { download: 'download' as never })).toThrow(
    `withResources: activity 'download' is 'download'; accepted: a function`
  );
  await expect(buildResources({ s3 }, { config: { s5: 1 } })).rejects.toThrow(
    `buildResources: config has an unknown resource 's5'; accepted: 's3'`
  );
  expect(() => env('')).toThrow(`env: the name is ''; accepted: the name of an environment variable`);
  const activities = withResources({ s3 }, { download: ({ s3 }, key: string) => s3 + key });
  await expect(activities.download('a')).rejects.toThrow(
    `activity 'download' needs resources (s3), but no SensorsPlugin gave it any`
  );
});
