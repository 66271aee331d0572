/**
 * File names as texts that lose nothing.
 *
 * A name is bytes to the file system. Bytes that are not UTF-8 would all become the same replacement character: two
 * files with one name, and none that can be opened. Here each such byte becomes a lone surrogate (U+DC80 to U+DCFF), as
 * in Python's `surrogateescape`, which JSON keeps and `fsPath` turns back.
 */
import { isUtf8 } from 'node:buffer';

const ESCAPE = 0xdc00;

/** The text of a name. */
export function decodeName(name: Buffer): string {
  if (isUtf8(name)) return name.toString('utf8');
  let text = '';
  for (let at = 0; at < name.length;) {
    const character = characterAt(name, at);
    text += character?.toString('utf8') ?? String.fromCharCode(ESCAPE + (name[at] ?? 0));
    at += character?.length ?? 1;
  }
  return text;
}

function characterAt(name: Buffer, at: number): Buffer | undefined {
  const lengths = [1, 2, 3, 4].filter((length) => at + length <= name.length);
  return lengths.map((length) => name.subarray(at, at + length)).find((bytes) => isUtf8(bytes));
}

/**
 * A path as `node:fs` can open it, also one with names that are not UTF-8. For the job, where it opens a file that a
 * sensor found: `open(fsPath(config.path))`.
 */
export function fsPath(path: string): string | Buffer {
  if (path.isWellFormed()) return path;
  const bytes = Array.from(path, (character) => {
    const code = character.charCodeAt(0);
    const escaped = character.length === 1 && code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff;
    return escaped ? Buffer.from([code - ESCAPE]) : Buffer.from(character, 'utf8');
  });
  return Buffer.concat(bytes);
}
