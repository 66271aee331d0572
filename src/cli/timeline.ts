/** Ticks as one line, a character each, oldest first. Pure. */
import type { TickStatus } from '../client/index.js';

const GLYPHS = { success: '●', skipped: '·', failure: '✗', started: '…' } as const satisfies Record<TickStatus, string>;
const ASCII = { success: '#', skipped: '.', failure: 'x', started: '>' } as const satisfies Record<TickStatus, string>;

/**
 * @param ticks newest first
 * @param options.width of the terminal; what does not fit is left out at the old end
 * @param options.paint colours the character of a status
 */
export function timeline(
  ticks: readonly { readonly status: TickStatus }[],
  {
    unicode,
    width,
    paint = (glyph) => glyph,
  }: {
    readonly unicode: boolean;
    readonly width: number;
    readonly paint?: (glyph: string, status: TickStatus) => string;
  }
): string {
  const glyphs = unicode ? GLYPHS : ASCII;
  const legend = (['success', 'skipped', 'failure'] as const).map((status) => `${glyphs[status]} ${status}`).join('  ');
  const room = Math.max(1, width - legend.length - 3);
  const shown = ticks.slice(0, room).toReversed();
  return `${shown.map(({ status }) => paint(glyphs[status], status)).join('')}   ${legend}`;
}

/** Whether a terminal shows more than ASCII, as far as its environment tells. A pipe gets ASCII. */
export function speaksUnicode(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return isTerminal && (/utf-?8/i.test(locale) || env['WT_SESSION'] !== undefined);
}
