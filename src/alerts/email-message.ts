/** A message as a mail: subject, text and HTML. Nothing of what others wrote is read as HTML or as a header. */
import { plain } from '../sensors/text.js';
import type { AlertLine, AlertMessage } from './message.js';

/** The content of a mail. */
export interface EmailBody {
  readonly text?: string;
  readonly html?: string;
}

/** A subject in one line, of at most 200 characters. */
export function subjectLine(text: string): string {
  return plain(text.toWellFormed(), 200);
}

export function emailBody(message: AlertMessage): EmailBody {
  return { text: textOf(message), html: htmlOf(message) };
}

function textOf({ title, lines, link }: AlertMessage): string {
  const rows = lines.map(({ label, text, block }) => (block === true ? `${label}:\n\n${text}\n` : `${label}: ${text}`));
  return [title, '', ...rows, ...(link === undefined ? [] : ['', link])].join('\n');
}

function htmlOf({ title, lines, link }: AlertMessage): string {
  const anchor = link === undefined ? '' : `<p><a href="${escapeHtml(link)}">Open in Temporal Web</a></p>`;
  return [
    '<!doctype html><html><body style="font-family: sans-serif">',
    `<h2>${escapeHtml(title)}</h2>`,
    ...lines.map(htmlLine),
    anchor,
    '</body></html>',
  ].join('\n');
}

function htmlLine({ label, text, block }: AlertLine): string {
  const name = `<b>${escapeHtml(label)}:</b>`;
  const pre = '<pre style="white-space: pre-wrap; background: #f4f4f4; padding: 8px">';
  return block === true
    ? `<div>${name}${pre}${escapeHtml(text)}</pre></div>`
    : `<div>${name} ${escapeHtml(text)}</div>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** `text` so that HTML shows it as it is, also inside of an attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
