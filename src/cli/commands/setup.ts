/**
 * `sensors setup`: registers search attributes, so that runs can be searched for by their tags. A registered attribute
 * is never changed, and nothing depends on one.
 */
import { addKeyword, listSearchAttributes, tagsInUse } from '../../client/search-attributes.js';
import { confirm } from '../confirm.js';
import { detailsOf, isForbidden } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';

export interface SetupOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What is known of one tag's attribute. */
interface Attribute {
  readonly name: string;
  /** `otherType`: registered, but not as a keyword, so that tags do not fit it. */
  readonly state: 'registered' | 'added' | 'missing' | 'otherType' | 'failed';
  readonly type?: string;
  readonly error?: string;
}

/** `sensors setup [tags...]`; without tags, those that the newest runs carry. */
export async function setup(
  session: Session,
  output: Output,
  names: readonly string[],
  { dryRun, yes }: SetupOptions
): Promise<ExitCode> {
  const { client, namespace } = session;
  const known = await readAttributes(session);
  const wanted = names.length > 0 ? [...new Set(names)] : await session.call(() => tagsInUse(client));
  const attributes = wanted.map((name): Attribute => {
    const type = known.get(name);
    if (type === undefined) return { name, state: 'missing' };
    return { name, state: type === 'Keyword' ? 'registered' : 'otherType', type };
  });
  const missing = attributes.filter(({ state }) => state === 'missing').map(({ name }) => name);
  if (missing.length > 0 && dryRun !== true) {
    const action = `register ${missing.map((name) => `'${plain(name)}'`).join(', ')} in namespace '${namespace}'`;
    const details = ['A namespace has room for few search attributes (often 10), and Temporal Cloud removes none.'];
    await confirm({ action, details, yes, readOnly: session.readOnly });
  }
  const result: Attribute[] = [];
  for (const each of attributes)
    result.push(each.state === 'missing' && dryRun !== true ? await register(session, each.name) : each);
  print(session, output, result);
  return result.some(({ state }) => state === 'failed') ? EXIT.someFailed : EXIT.ok;
}

async function readAttributes(session: Session): Promise<ReadonlyMap<string, string>> {
  try {
    return await session.call(() => listSearchAttributes(session.client));
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new Error(
      `the credentials may not list search attributes (ListSearchAttributes of Temporal's operator service): ` +
        `${detailsOf(error)}. Use those of an administrator`,
      { cause: error }
    );
  }
}

async function register(session: Session, name: string): Promise<Attribute> {
  try {
    await session.call(() => addKeyword(session.client, name));
    return { name, state: 'added', type: 'Keyword' };
  } catch (error) {
    const remedy = isForbidden(error)
      ? `; the credentials may not add search attributes, an administrator can: temporal operator search-attribute create ` +
        `--name ${name} --type Keyword (for Temporal Cloud: in its web page of the namespace, or with tcld)`
      : '';
    return { name, state: 'failed', error: `${detailsOf(error)}${remedy}` };
  }
}

function print({ namespace }: Session, output: Output, attributes: readonly Attribute[]): void {
  output.result({ namespace, attributes }, (colors) => {
    if (attributes.length === 0)
      return ['No run of a sensor carries tags; name those to search for, such as: sensors setup team'];
    const rows = attributes.map((each) => [plain(each.name), each.state, plain(meaning(each), 300)]);
    return table(['TAG', 'STATE', 'WHAT'], rows, colors);
  });
  if (attributes.some(({ state }) => state === 'added'))
    output.note('Workers notice within a minute or two; runs that started before stay without.');
}

function meaning({ name, state, type = 'another type', error = '' }: Attribute): string {
  const meanings: Readonly<Record<Attribute['state'], string>> = {
    registered: `runs can be searched for: ${name} = '...'`,
    added: `runs can be searched for: ${name} = '...'`,
    missing: 'not registered; runs keep the tag in their memo only',
    otherType: `registered as ${type}; tags need Keyword, so runs keep it in their memo only`,
    failed: error,
  };
  return meanings[state];
}
