/**
 * `npm run docs:screenshots`: the pictures of docs/temporal-web.md, taken by a headless Chromium of a dev server with real
 * sensors. The browser and what drives it are not dependencies of this project: they are installed into the user's cache,
 * once, about 70 MB (Linux, x64). Elsewhere, or to use another one, name a Chromium or Chrome in `CHROMIUM_PATH`.
 */
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { startDevServer } from '../src/cli/dev-server.js';
import { findTemporalBinary } from '../src/cli/temporal-binary.js';
import { SensorClient } from '../src/client/index.js';
import { defineJob, defineSensor } from '../src/index.js';
import { SensorsPlugin } from '../src/worker/index.js';

const TOOLS = ['playwright-core@1.65.1', '@sparticuz/chromium@153.0.0'];
const WIDTH = 1360;
const WAIT_MS = 60_000;
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));

// ------------------------------------------------------------------------------------------------ the browser

/** What is used of Playwright. */
interface Page {
  goto(url: string): Promise<unknown>;
  click(selector: string): Promise<void>;
  /** The page's own, and those that it shows Markdown in. */
  frames(): readonly { content(): Promise<string> }[];
  screenshot(options: { readonly path: string }): Promise<unknown>;
}
interface Browser {
  newPage(options: { readonly viewport: { readonly width: number; readonly height: number } }): Promise<Page>;
  close(): Promise<void>;
}
interface Playwright {
  readonly chromium: {
    launch(options: { readonly executablePath: string; readonly args: readonly string[] }): Promise<Browser>;
  };
}
interface PackagedChromium {
  readonly default: { readonly args: readonly string[]; executablePath(): Promise<string> };
}

/** The folder in which the tools are installed. */
function toolsFolder(): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'temporal-sensors', TOOLS.join('+').replaceAll('/', '-'));
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  // beside it, and then moved in: one that is killed leaves nothing half installed
  const target = mkdtempSync(`${folder}-`);
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', target, ...TOOLS];
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    rmSync(target, { recursive: true, force: true });
    throw new Error(`npm could not install ${TOOLS.join(' and ')}`);
  }
  renameSync(target, folder);
  return folder;
}

async function launch(): Promise<Browser> {
  const require = createRequire(join(toolsFolder(), 'package.json'));
  const { chromium } = require('playwright-core') as Playwright;
  const given = process.env['CHROMIUM_PATH'];
  if (given !== undefined) return await chromium.launch({ executablePath: given, args: [] });
  const path = pathToFileURL(require.resolve('@sparticuz/chromium')).href;
  const { default: packaged } = (await import(path)) as PackagedChromium;
  return await chromium.launch({ executablePath: await packaged.executablePath(), args: packaged.args });
}

// ------------------------------------------------------------------------------------------------ what it looks at

const echo = defineJob({ name: 'echo', config: z.object({ rows: z.number() }) });
const sensors = [
  defineSensor({
    name: 'newFiles',
    description: 'Loads each file that arrives in ./inbox.',
    job: echo,
    interval: '1s',
    defaultStatus: 'running',
    cursor: z.object({ files: z.number() }).default({ files: 0 }),
    evaluate(ctx) {
      const { files } = ctx.cursor;
      if (files === 6) return ctx.skip('no new files in ./inbox (6 known)');
      ctx.setCursor({ files: files + 1 });
      return ctx.run({ runKey: `orders-${files + 1}.csv`, config: { rows: files } });
    },
  }),
  defineSensor({
    name: 'invoices',
    description: 'Asks the invoice service for what is new.',
    job: echo,
    interval: '1s',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      if (ctx.cursor >= 3) throw new Error('connect ECONNREFUSED invoices.example:443');
      yield ctx.run({ runKey: `invoice-${ctx.cursor}`, config: { rows: ctx.cursor } });
      yield ctx.run({ runKey: `invoice-${ctx.cursor}-draft`, config: { rows: 'unknown' as never } });
      ctx.setCursor(ctx.cursor + 1);
    },
  }),
];

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await condition().catch(() => false)); await sleep(100))
    if (Date.now() > end) throw new Error(`${what} did not come within ${WAIT_MS / 1000} s`);
}

/** One tab of a workflow's page, when it shows `seen`. */
interface Picture {
  readonly file: string;
  readonly workflowId: string;
  readonly tab: string;
  readonly seen: string;
  readonly height: number;
}

const pictures: readonly Picture[] = [
  {
    file: 'sensor-details.png',
    workflowId: 'sensor/invoices',
    tab: 'User Metadata',
    seen: 'sensors dead-letters retry invoices',
    height: 1080,
  },
  {
    file: 'sensor-pending.png',
    workflowId: 'sensor/newFiles',
    tab: 'Pending Activities',
    seen: 'no new files in ./inbox',
    height: 640,
  },
  {
    file: 'run-details.png',
    workflowId: 'newFiles:echo:orders-6.csv',
    tab: 'User Metadata',
    seen: 'run key orders-6.csv, tick 6 of sensor newFiles',
    height: 640,
  },
];

async function take(browser: Browser, webUrl: string, { file, workflowId, tab, seen, height }: Picture): Promise<void> {
  const page = await browser.newPage({ viewport: { width: WIDTH, height } });
  await page.goto(`${webUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`);
  await page.click(`text=${tab}`);
  const shown = async (): Promise<boolean> =>
    (await Promise.all(page.frames().map((frame) => frame.content()))).some((html) => html.includes(seen));
  await until(shown, `'${seen}' of ${file}`);
  // what it has is still to be laid out
  await sleep(2_000);
  await page.screenshot({ path: join(images, file) });
  console.log(`docs/images/${file}`);
}

Runtime.install({ logger: new DefaultLogger('ERROR') });
const server = await startDevServer({ binary: await findTemporalBinary() });
const connection = await Connection.connect({ address: server.address });
const native = await NativeConnection.connect({ address: server.address });
try {
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'screenshots',
    workflowsPath: fileURLToPath(new URL('../test/support/workflows.ts', import.meta.url)),
    plugins: [new SensorsPlugin({ sensors })],
  });
  const control = new SensorClient(new Client({ connection }));
  await worker.runUntil(async () => {
    const browser = await launch();
    try {
      await until(async () => (await control.state('newFiles')).counters.runs === 6, 'the runs of newFiles');
      await until(async () => (await control.state('invoices')).health.status === 'failing', 'the failure of invoices');
      mkdirSync(images, { recursive: true });
      for (const picture of pictures) await take(browser, server.webUrl ?? '', picture);
    } finally {
      await browser.close();
    }
  });
} finally {
  await native.close();
  await connection.close();
  await server.stop();
}
