import { expect, test } from 'vitest';
import { z } from 'zod';
import { z as oldZod } from 'zod/v3';
import { describeError, ResourceError, withRedaction } from '../../src/sensors/describe-error.js';
import { EvaluationError } from '../../src/sensors/errors.js';

test('redaction leaves what an EvaluationError says, and gives the same error the same ID', () => {
  const reported: (readonly [string, unknown])[] = [];
  const redacted = (error: unknown): string =>
    withRedaction(
      (id, _, reportedError) => void reported.push([id, reportedError]),
      () => describeError(error, 'evaluate')
    );
  const [first, second] = [new Error('secret'), new TypeError('secret')];
  const texts = [first, first, second, 'secret', Symbol('secret')].map(redacted);
  expect(new Set(texts).size).toBe(4);
  expect(texts[1]).toBe(texts[0]);
  expect(texts.join('')).not.toContain('secret');
  expect(reported.map(([, error]) => error).slice(0, 3)).toEqual([first, first, second]);
  for (const [index, [id]] of reported.entries()) expect(texts[index]).toContain(id);
  expect(redacted(new EvaluationError('no rows yet'))).toBe('no rows yet');
  expect(redacted(new ResourceError('db', new EvaluationError('is down')))).toBe(
    `resource 'db' could not be created: is down`
  );
  expect(describeError(first, 'evaluate')).toBe('Error: secret');
});

test('what does not fit a zod schema is one line: path and expectation, of each version of zod', () => {
  const { error } = z.object({ rows: z.number(), files: z.array(z.string()) }).safeParse({ rows: 'a', files: [1] });
  expect(describeError(error, 'handle')).toBe(
    'ZodError: input.rows: Invalid input: expected number, received string; ' +
      'input.files.0: Invalid input: expected string, received number'
  );
  const three = oldZod.object({ rows: oldZod.number() }).safeParse({});
  expect(describeError(three.error, 'handle')).toBe('ZodError: input.rows: Required');
  const alike = Object.assign(new Error('[\n]'), { name: 'ZodError', issues: [7] });
  expect(describeError(alike, 'handle')).toBe('ZodError: [\n]');
});
