/** What alerts say, and that nothing others wrote becomes markup. */
import { describe, expect, test } from 'vitest';
import { emailBody, subjectLine } from '../../../src/alerts/email-message.js';
import { describeSubject, type AlertMessage } from '../../../src/alerts/message.js';
import { escapeMrkdwn, fallbackText, slackBlocks } from '../../../src/alerts/slack-message.js';
import { teamsCard } from '../../../src/alerts/webhook.js';
import { utf8Bytes } from '../../../src/sensors/json.js';
import { failedRun, healthEvent } from '../../support/alerts.js';

const text = ({ title, lines }: AlertMessage): string =>
  [title, ...lines.map(({ label, text }) => `${label}: ${text}`)].join('\n');

describe('a failed run', () => {
  test('says what failed, why, since when, who started it and where to look', () => {
    const message = describeSubject(failedRun());
    expect(text(message)).toBe(
      [
        'processOrders failed',
        'Why: a.csv, line 4, column 4 (quantity): expected a whole number, found "twelve"',
        'Activity: reportOrders',
        'Workflow: orders:processOrders:a.csv',
        'Run: run-1',
        'Started: 2026-01-01 10:00:00 UTC',
        'Ended: 2026-01-01 10:00:03 UTC, after 3.3 s',
        'Started by: sensor orders, tick 7, run key a.csv',
      ].join('\n')
    );
    expect(message).toMatchObject({ good: false, link: failedRun().url });
  });

  test('says that Temporal retries it, and names the type of the error and the child workflow', () => {
    const childWorkflow = { type: 'pack', workflowId: 'pack-1', runId: 'r' };
    const failure = { message: 'no disk', type: 'DiskError', childWorkflow };
    const message = text(describeSubject(failedRun({ status: 'timedOut', nextRunId: 'run-2', failure })));
    expect(message).toContain('processOrders timed out\nWhy: DiskError: no disk');
    expect(message).toContain('Child workflow: pack, pack-1');
    expect(message).toContain('Retry: Temporal retries it: run run-2');
  });

  test('of a megabyte is cut, with a mark, and one without a message says so', () => {
    const why = describeSubject(failedRun({ failure: { message: 'é'.repeat(500_000) } })).lines[0]?.text ?? '';
    expect(utf8Bytes(why)).toBeLessThanOrEqual(1024);
    expect(why).toMatch(/ … \(cut, 1000000 bytes\)$/);
    expect(describeSubject(failedRun({ failure: { message: '' } })).lines[0]?.text).toBe('(no message)');
  });

  test('keeps the lines of an error, and no control characters', () => {
    const { title, lines } = describeSubject(
      failedRun({ type: 'a\nb\u001b[2J', failure: { message: 'a\r\n\u001b[31mb\ud800' } })
    );
    expect(title).toBe('a b\\u001b[2J failed');
    expect(lines[0]?.text).toBe('a\n\\u001b[31mb\ufffd');
  });

  test('has no link to anything but a web page', () => {
    expect(describeSubject(failedRun({ url: 'javascript:alert(1)' })).link).toBeUndefined();
  });
});

test('a sensor says what changed, and for how long it was unhealthy', () => {
  const failing = describeSubject(healthEvent());
  expect(text(failing)).toBe(
    'Sensor orders is failing\nWhy: Error: the inbox is gone\nNoticed: 2026-01-01 10:00:03 UTC\nWorkflow: sensor/orders'
  );
  const unhealthySince = new Date('2026-01-01T09:00:03Z');
  const recovered = describeSubject(healthEvent({ change: 'recovered', unhealthySince }));
  expect(text(recovered)).toContain('Sensor orders has recovered\nBefore: Error: the inbox is gone');
  expect(text(recovered)).toContain('Unhealthy since: 2026-01-01 09:00:03 UTC, for 1 h');
  expect([failing.good, recovered.good]).toEqual([false, true]);
  const titles = (['notLoaded', 'late', 'stoppedItself', 'closed'] as const).map(
    (change) => describeSubject(healthEvent({ change })).title
  );
  expect(titles).toEqual([
    'Sensor orders is on no worker',
    'Sensor orders is late',
    'Sensor orders has stopped itself',
    'Sensor orders was closed',
  ]);
});

describe('what others wrote', () => {
  const nasty = '<!channel> <script>alert("1")</script> [click](https://evil.example) *b* & ```x```';
  const run = failedRun({ type: nasty, workflowId: nasty, failure: { message: nasty, type: 'Error' } });
  const message = describeSubject(run);

  test('mentions nobody in Slack and becomes no link', () => {
    expect(fallbackText(message)).not.toMatch(/[<>]/);
    expect(escapeMrkdwn(nasty)).toContain('&lt;!channel&gt; &lt;script&gt;');
    const blocks = JSON.stringify(slackBlocks(message));
    // texts that Slack takes as they are, and one link, which is ours
    expect(new Set(blocks.match(/"type":"[a-z_]+"/g))).toEqual(
      new Set(
        ['rich_text', 'rich_text_section', 'rich_text_preformatted', 'text', 'link'].map((type) => `"type":"${type}"`)
      )
    );
    expect(blocks.match(/"url":"[^"]*"/g)).toEqual([`"url":"${run.url}"`]);
  });

  test('is no HTML in a mail, and no line of its header', () => {
    const { html = '' } = emailBody(describeSubject({ ...run, url: 'https://x.example/"onclick="alert(1)' }));
    expect(html).not.toMatch(/<script|"onclick/);
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
    expect(html.match(/<a /g)).toHaveLength(1);
    expect(subjectLine('a\r\nBcc: eve@example.com\u0000')).toBe('a Bcc: eve@example.com\\u0000');
  });

  test('is no Markdown in Teams', () => {
    const card = JSON.stringify(teamsCard(run, message));
    expect(card).not.toMatch(/"type":"(TextBlock|FactSet)"/);
    expect(card.match(/"url":"[^"]*"/g)).toEqual([`"url":"${run.url}"`]);
  });
});
