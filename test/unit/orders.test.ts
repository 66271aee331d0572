/** The CSV of examples/orders: what is accepted, and where an error says it is. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedFileError, readOrders, type OrderTotals } from '../../examples/orders/read-orders.js';

const HEADER = 'order_id,customer,product,quantity,unit_price';
const examples = fileURLToPath(new URL('../../examples/', import.meta.url));

/** Reads text (or bytes) that arrives in small pieces. */
async function read(content: string | Buffer): Promise<OrderTotals> {
  const bytes = Buffer.from(content as string);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  }
  return await readOrders(pieces(), 'x.csv');
}

async function problem(content: string | Buffer): Promise<string> {
  const error: unknown = await read(content).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MalformedFileError);
  return (error as MalformedFileError).message;
}

describe('valid orders', () => {
  test('are added up per customer, in cents', async () => {
    const totals = await read(
      `${HEADER}\n1,"B, Inc.",Beans,3,1.15\n1,"B, Inc.",Cups,1,0.1\n2,A,"A ""fine"" mug",2,7\n3,A,Tea,1,0.70\n`
    );
    expect(totals).toEqual({
      lines: 4,
      orders: 3,
      totalCents: 1825,
      customers: [
        { customer: 'A', orders: 2, totalCents: 1470 },
        { customer: 'B, Inc.', orders: 1, totalCents: 355 },
      ],
    });
  });

  test('may have a BOM, CRLF, empty lines, spaces around values, and no newline at the end', async () => {
    const totals = await read(`\uFEFF${HEADER}\r\n\r\n 1 , A , Beans , 2 , 1.50 \r\n   \r\n2,A,Tea,1,1.00`);
    expect(totals).toMatchObject({ lines: 2, customers: [{ customer: 'A', orders: 2, totalCents: 400 }] });
  });

  test('may be none', async () => {
    expect(await read(`${HEADER}\n`)).toEqual({ lines: 0, orders: 0, totalCents: 0, customers: [] });
  });

  test('keep a customer apart that is named like a property of every object', async () => {
    const { customers } = await read(`${HEADER}\n1,__proto__,Beans,1,1\n2,constructor,Beans,1,2\n`);
    expect(customers.map(({ totalCents }) => totalCents)).toEqual([100, 200]);
  });

  test('never drift by a cent', async () => {
    const line = fc.record({ quantity: fc.integer({ min: 1, max: 1e4 }), cents: fc.integer({ min: 0, max: 1e6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
        const rows = lines.map(({ quantity, cents }) => `1,A,Beans,${quantity},${(cents / 100).toFixed(2)}`);
        const { totalCents } = await read([HEADER, ...rows].join('\n'));
        expect(BigInt(totalCents)).toBe(
          lines.reduce((sum, { quantity, cents }) => sum + BigInt(quantity) * BigInt(cents), 0n)
        );
      })
    );
  });

  test('are what the example files have', async () => {
    const folder = `${examples}orders/`;
    const files = (await readdir(folder)).filter((name) => name.endsWith('.csv'));
    expect(files).toHaveLength(3);
    for (const file of files) {
      const { customers } = await readOrders(createReadStream(folder + file), file);
      expect(customers.length).toBeGreaterThan(1);
    }
  });
});

describe('a malformed file is refused with the place', () => {
  const row = '1,A,Beans,2,1.50';
  test.each([
    [
      'a missing value',
      `${HEADER}\n${row}\n2,A,Beans,2\n`,
      'line 3, column 5 (unit_price): expected 5 columns, found 4',
    ],
    ['an unquoted comma', `${HEADER}\n2,A, Inc.,Beans,2,1\n`, 'line 2, column 6: expected 5 columns, found 6'],
    ['a word for a quantity', `${HEADER}\n${row}\n2,A,Beans,two,1\n`, 'line 3, column 4 (quantity): expected a whole'],
    ['a negative quantity', `${HEADER}\n2,A,Beans,-3,1\n`, 'line 2, column 4 (quantity): expected a whole number of 1'],
    ['a quantity of zero', `${HEADER}\n2,A,Beans,0,1\n`, 'line 2, column 4 (quantity): expected a whole number of 1'],
    ['half a piece', `${HEADER}\n2,A,Beans,0.5,1\n`, 'line 2, column 4 (quantity): expected a whole number of 1'],
    ['a currency sign', `${HEADER}\n2,A,Beans,1,€5\n`, 'line 2, column 5 (unit_price): expected an amount such as'],
    ['a decimal comma', `${HEADER}\n2,A,Beans,1,"5,00"\n`, 'line 2, column 5 (unit_price): expected an amount such'],
    ['a third decimal', `${HEADER}\n2,A,Beans,1,0.005\n`, 'line 2, column 5 (unit_price): expected an amount such as'],
    ['a negative price', `${HEADER}\n2,A,Beans,1,-1\n`, 'line 2, column 5 (unit_price): expected an amount such as'],
    ['an exponent', `${HEADER}\n2,A,Beans,1e3,1\n`, 'line 2, column 4 (quantity): expected a whole number of 1'],
    ['an empty value', `${HEADER}\n2,,Beans,1,1\n`, 'line 2, column 2 (customer): expected a value, found nothing'],
    ['blanks for a value', `${HEADER}\n2,A, ,1,1\n`, 'line 2, column 3 (product): expected a value, found nothing'],
    ['no header', `${row}\n`, `line 1, column 1 (order_id): expected the header ${HEADER}, found "1"`],
    ['another header', 'order_id,client\n', 'line 1, column 2 (customer): expected the header'],
    [
      'a short header',
      'order_id,customer\n',
      `line 1, column 3 (product): expected the header ${HEADER}, found its end`,
    ],
    ['a long header', `${HEADER},vat\n`, 'line 1, column 6: expected 5 columns, found 6'],
    ['an empty file', '', `line 1, column 1 (order_id): expected the header ${HEADER}, found nothing`],
    ['only a BOM', '\uFEFF', `line 1, column 1 (order_id): expected the header ${HEADER}, found nothing`],
    ['only empty lines', '\n\n', `line 1, column 1 (order_id): expected the header ${HEADER}, found nothing`],
    [
      'an unclosed quote',
      `${HEADER}\n${row}\n2,"A,Beans,2,1\n${row}\n`,
      'line 3, column 2 (customer): expected a closing',
    ],
    [
      'text after a quote',
      `${HEADER}\n2,"A" B,Beans,2,1\n`,
      'line 2, column 2 (customer): expected a comma or the end',
    ],
    ['a quote inside', `${HEADER}\n2,A,19" rack,2,1\n`, 'line 2, column 3 (product): expected quotes (") only around'],
    ['too much money', `${HEADER}\n2,A,Beans,${'9'.repeat(20)},1\n`, 'line 2, column 5 (unit_price): expected a total'],
    ['Mac line ends', `${HEADER}\r${row}\r`, 'line 1, column 5 (unit_price): expected the header'],
  ])('%s', async (_, content, expected) => {
    expect(await problem(content)).toContain(`x.csv, ${expected}`);
  });

  test('Latin-1 instead of UTF-8', async () => {
    const bytes = Buffer.from(`${HEADER}\n2,Café,Beans,2,1\n`, 'latin1');
    expect(await problem(bytes)).toContain('x.csv, line 2, column 2 (customer): expected UTF-8 text');
  });

  test('counting lines as an editor does, also after BOM, CRLF, empty lines and values of several lines', async () => {
    const before = `\uFEFF${HEADER}\r\n\r\n1,"A\r\nB","C\r\nD",2,1\r\n\r\n`;
    expect(await problem(`${before}2,A,Beans,x,1\r\n`)).toContain('line 7, column 4 (quantity)');
    expect(await problem(`${before}2,A,"Beans\r\nand tea",x,1\r\n`)).toContain('line 7, column 4 (quantity)');
    expect(await problem(`${before}2,A,"Beans,x,1\r\n`)).toContain('line 7, column 3 (product): expected a closing');
  });

  test('the first mistake, not a later one that stops the parser', async () => {
    const rows = Array.from({ length: 50 }, (_, index) => `${index},A,Beans,1,1`);
    expect(await problem([HEADER, '0,A,Beans,x,1', ...rows, '9,"A'].join('\n'))).toContain('line 2, column 4');
  });

  test('an unclosed quote in a large file, without holding all of it', async () => {
    const rows = `${row}\n`.repeat(20_000);
    const message = await problem(`${HEADER}\n${row}\n2,"A,Beans,1,1\n${rows}`);
    expect(message).toMatch(/x\.csv, line 3, column 2 \(customer\): expected a line of at most .* not closed\?$/);
  });

  test('with a value that is long or has control characters in a short and harmless form', async () => {
    expect(await problem(`${HEADER}\n2,A,Beans,${'x'.repeat(500)},1\n`)).toMatch(/found "x{40}…"$/);
    expect(await problem(`${HEADER}\n2,A,Beans,\u001b[2J,1\n`)).toMatch(/found "\\u001b\[2J"$/);
  });
});
