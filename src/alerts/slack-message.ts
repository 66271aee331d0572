/**
 * A message as Slack takes it.
 *
 * The blocks are `rich_text`, whose texts Slack takes as they are: nothing in them can mention a channel or become a
 * link. The text beside them, for notifications, is mrkdwn and escaped.
 */
import { cutText } from '../sensors/json.js';
import type { AlertLine, AlertMessage } from './message.js';

/** What is posted. */
export interface SlackPost {
  /** mrkdwn; what notifications show when there are blocks. */
  readonly text: string;
  readonly blocks?: readonly object[];
}

/** `text` so that Slack's mrkdwn shows it as it is, and mentions nobody. For `text` and `blocks` of your own. */
export function escapeMrkdwn(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** One line for notifications: what, and why. */
export function fallbackText({ title, lines }: AlertMessage): string {
  const why = lines[0]?.text.split('\n')[0] ?? '';
  return escapeMrkdwn(cutText(`${title}: ${why}`, 500));
}

/** The message in Slack's Block Kit. */
export function slackBlocks({ title, good, lines, link }: AlertMessage): readonly object[] {
  const text = `${good ? '✅' : '🔴'} ${title}`;
  const facts = lines.filter(({ block }) => block !== true);
  const elements = [
    section([plainText(text, { bold: true })]),
    ...lines.filter(({ block }) => block === true).flatMap(preformatted),
    ...(facts.length === 0 ? [] : [section(facts.flatMap(factElements))]),
    ...(link === undefined ? [] : [section([{ type: 'link', url: link, text: 'Open in Temporal Web' }])]),
  ];
  return [{ type: 'rich_text', elements }];
}

/** A block of mrkdwn. */
export function textBlock(mrkdwn: string): object {
  return { type: 'section', text: { type: 'mrkdwn', text: mrkdwn } };
}

function preformatted({ label, text }: AlertLine): object[] {
  return [section([plainText(label, { bold: true })]), { type: 'rich_text_preformatted', elements: [plainText(text)] }];
}

function factElements({ label, text }: AlertLine, index: number): object[] {
  return [plainText(`${index === 0 ? '' : '\n'}${label}: `, { bold: true }), plainText(text)];
}

function section(elements: readonly object[]): object {
  return { type: 'rich_text_section', elements };
}

function plainText(text: string, style?: { readonly bold: true }): object {
  return { type: 'text', text, ...(style === undefined ? {} : { style }) };
}
