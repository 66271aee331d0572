/**
 * Reads order lines from CSV and adds them up per customer, in integer cents.
 *
 * The whole file is checked; the first thing wrong ends it, with the line and column to look at. A record is checked
 * inside the parser's callback and not in a loop over its output, because a parse error further down discards the
 * records that wait in the stream's buffer, and with them the earlier mistake.
 */
import { pipeline } from 'node:stream/promises';
import { CsvError, parse, type Info } from 'csv-parse';

const COLUMNS = ['order_id', 'customer', 'product', 'quantity', 'unit_price'] as const;
/** A quote that is never closed would make the rest of a large file one record in memory. */
const MAX_RECORD_BYTES = 100_000;
const MAX_QUOTED_CHARACTERS = 40;

/** What one customer ordered. */
interface CustomerTotal {
  readonly customer: string;
  readonly orders: number;
  readonly totalCents: number;
}

/** What a file amounts to; customers by name. */
export interface OrderTotals {
  readonly lines: number;
  readonly orders: number;
  readonly totalCents: number;
  readonly customers: readonly CustomerTotal[];
}

/** The file is not what it should be; the message names the file, line and column, and what was expected. */
export class MalformedFileError extends Error {
  override readonly name = 'MalformedFileError';
  constructor(
    file: string,
    /** Where the record begins, from 1. */
    readonly line: number,
    /** Number of the value in its record, from 1. */
    readonly column: number,
    problem: string
  ) {
    const name = COLUMNS[column - 1];
    super(`${file}, line ${line}, column ${column}${name === undefined ? '' : ` (${name})`}: ${problem}`);
  }
}

/**
 * @param file its name, for messages
 * @throws {@link MalformedFileError} at the first mistake
 */
export async function readOrders(content: AsyncIterable<Buffer>, file: string): Promise<OrderTotals> {
  const ledger = new Ledger();
  // the parser's own count of lines is where a record ends, and wrong for CRLF inside of quotes
  let nextLine = 1;
  let emptyLines = 0;
  const lineOf = (info: { readonly empty_lines: number }): number => nextLine + info.empty_lines - emptyLines;

  const parser = parse({
    bom: true,
    trim: true,
    skip_empty_lines: true,
    record_delimiter: ['\r\n', '\n'],
    // checkCount counts them, and knows the column
    relax_column_count: true,
    max_record_size: MAX_RECORD_BYTES,
    on_record: (record: string[], info: Info) => {
      const fail = (column: number, problem: string): never => {
        throw new MalformedFileError(file, lineOf(info), column, problem);
      };
      if (info.records === 1) checkHeader(record, fail);
      else addRecord(record, ledger, fail);
      nextLine = lineOf(info) + record.join().split('\n').length;
      emptyLines = info.empty_lines;
      return null;
    },
  });
  // nothing comes out of it, but only a stream that is read can end
  parser.resume();
  try {
    await pipeline(content, parser);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const at = error as CsvError & Pick<Info, 'empty_lines'> & { readonly column: number };
    throw new MalformedFileError(file, lineOf(at), at.column + 1, explain(at));
  }
  if (nextLine === 1)
    throw new MalformedFileError(file, 1, 1, `expected the header ${COLUMNS.join(',')}, found nothing`);
  return ledger.totals();
}

type Fail = (column: number, problem: string) => never;

function checkHeader(record: readonly string[], fail: Fail): void {
  for (const [index, name] of COLUMNS.entries()) {
    const found = record[index];
    if (found === name) continue;
    fail(
      index + 1,
      `expected the header ${COLUMNS.join(',')}, found ${found === undefined ? 'its end' : quote(found)}`
    );
  }
  checkCount(record, fail);
}

function checkCount(record: readonly string[], fail: Fail): void {
  const wanted = COLUMNS.length;
  if (record.length < wanted) fail(record.length + 1, `expected ${wanted} columns, found ${record.length}`);
  if (record.length > wanted) {
    fail(wanted + 1, `expected ${wanted} columns, found ${record.length}; a value with a comma in it needs "quotes"`);
  }
}

function addRecord(record: readonly string[], ledger: Ledger, fail: Fail): void {
  checkCount(record, fail);
  for (const [index, value] of record.entries()) {
    if (value === '') fail(index + 1, 'expected a value, found nothing');
    if (value.includes('\uFFFD')) fail(index + 1, `expected UTF-8 text, found ${quote(value)}`);
  }
  const [order, customer, , quantity, unitPrice] = record as [string, string, string, string, string];
  if (!/^0*[1-9]\d*$/.test(quantity)) fail(4, `expected a whole number of 1 or more, found ${quote(quantity)}`);
  const price = /^(\d+)(?:\.(\d{1,2}))?$/.exec(unitPrice);
  if (price === null) return fail(5, `expected an amount such as 12 or 12.50, found ${quote(unitPrice)}`);
  // digits to cents as text: 1.15 * 100 is 114.99999999999999
  const unitCents = Number(`${price[1]}${(price[2] ?? '').padEnd(2, '0')}`);
  if (!ledger.add(order, customer, Number(quantity) * unitCents)) {
    fail(5, `expected a total of at most ${Number.MAX_SAFE_INTEGER} cents in the file, found more`);
  }
}

function explain(error: CsvError): string {
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'expected a closing quote ("), found the end of the file';
    case 'CSV_MAX_RECORD_SIZE':
      return `expected a line of at most ${MAX_RECORD_BYTES} bytes, found more; is there a quote (") that is not closed?`;
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return (
        'expected a comma or the end of the line after the closing quote ("), found something else; ' +
        'a quote inside a value is written twice ("")'
      );
    case 'INVALID_OPENING_QUOTE':
      return (
        'expected quotes (") only around a whole value, found one inside; ' +
        'put the whole value in quotes, and write a quote inside it twice ("")'
      );
    default:
      return error.message;
  }
}

/** A value in a message: short, and without control characters. */
function quote(value: string): string {
  return JSON.stringify(value.length > MAX_QUOTED_CHARACTERS ? `${value.slice(0, MAX_QUOTED_CHARACTERS)}…` : value);
}

/** Sums that stay exact. */
class Ledger {
  #lines = 0;
  #totalCents = 0;
  readonly #orders = new Set<string>();
  readonly #customers = new Map<string, { readonly orders: Set<string>; totalCents: number }>();

  /** Whether the sum is still exact. */
  add(order: string, customer: string, cents: number): boolean {
    const account = this.#customers.get(customer) ?? { orders: new Set(), totalCents: 0 };
    this.#customers.set(customer, account);
    account.orders.add(order);
    account.totalCents += cents;
    this.#orders.add(order);
    this.#totalCents += cents;
    this.#lines++;
    return Number.isSafeInteger(this.#totalCents);
  }

  totals(): OrderTotals {
    const customers = [...this.#customers].map(([customer, { orders, totalCents }]) => ({
      customer,
      orders: orders.size,
      totalCents,
    }));
    // not by locale: the report is the same on every machine
    customers.sort((a, b) => (a.customer < b.customer ? -1 : 1));
    return { lines: this.#lines, orders: this.#orders.size, totalCents: this.#totalCents, customers };
  }
}
