import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8Bytes } from '../../src/sensors/json.js';
import { keyedRunId, keylessRunId, runKeyHash } from '../../src/sensors/run-key.js';

const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/);
// any sequence of UTF-16 units, lone surrogates and control characters included, some of them long
const runKey = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 8 })
    .map((units) => String.fromCharCode(...units)),
  fc
    .tuple(fc.string({ unit: 'grapheme' }), fc.integer({ min: 300, max: 1200 }))
    .map(([text, length]) => (text + 'k').repeat(length)),
  fc.constantFrom('a:b', 'a!1', 'a#b', 'a~b', '!n.0', '#p~0', '../../x', '\ud800', '\udfff', '\ufffd', 'é', 'e\u0301')
);
const form = fc.constantFrom('readable' as const, 'hashed' as const);
const request = fc.oneof(
  fc.record({ sensor: name, job: name, runKey }),
  fc.record({ sensor: name, job: name, nonce: fc.uuid(), index: fc.nat() })
);
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

function idOf(request: Request, runIds: 'readable' | 'hashed'): string {
  return 'runKey' in request ? keyedRunId({ ...request, form: runIds }) : keylessRunId(request);
}

/** What the server stores: bytes. */
function wire(id: string): string {
  return Buffer.from(id, 'utf8').toString('hex');
}

describe('run IDs', () => {
  test('different requests have different IDs, also on the wire', () => {
    fc.assert(
      fc.property(request, request, form, (a, b, runIds) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b) || ('runKey' in a && 'runKey' in b && a.runKey !== b.runKey));
        expect(wire(idOf(a, runIds))).not.toBe(wire(idOf(b, runIds)));
      }),
      { numRuns: 3000 }
    );
  });

  test('near-identical keys of one job have different IDs', () => {
    fc.assert(
      fc.property(name, name, runKey, runKey, form, (sensor, job, a, b, runIds) => {
        fc.pre(a !== b);
        expect(wire(keyedRunId({ sensor, job, runKey: a, form: runIds }))).not.toBe(
          wire(keyedRunId({ sensor, job, runKey: b, form: runIds }))
        );
        expect(runKeyHash(job, a)).not.toBe(runKeyHash(job, b));
      }),
      { numRuns: 3000 }
    );
  });

  test('every ID fits the server and is stable', () => {
    fc.assert(
      fc.property(request, form, (each, runIds) => {
        const id = idOf(each, runIds);
        expect(utf8Bytes(id)).toBe(Buffer.byteLength(id));
        expect(utf8Bytes(id)).toBeLessThanOrEqual(1000);
        expect(idOf(each, runIds)).toBe(id);
      })
    );
  });

  test('the forms are as documented', () => {
    const base = { sensor: 'newFiles', job: 'process', form: 'readable' as const };
    expect(keyedRunId({ ...base, runKey: 'a:b #1' })).toBe('newFiles:process:a:b #1');
    expect(keyedRunId({ ...base, runKey: 'x'.repeat(2000) })).toMatch(/^newFiles:process#x{100}~[0-9a-f]{64}$/);
    expect(keyedRunId({ ...base, runKey: 'line\nbreak' })).toMatch(/^newFiles:process#line_break~[0-9a-f]{64}$/);
    expect(keyedRunId({ ...base, runKey: 'secret', form: 'hashed' })).toMatch(/^newFiles:process#~[0-9a-f]{64}$/);
    expect(keylessRunId({ sensor: 's', job: 'j', nonce: 'n', index: 3 })).toBe('s:j!n.3');
  });
});
