import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, jsonBytes, sameJson, splitByBytes, toJson, utf8Bytes } from '../../src/sensors/json.js';

test('toJson gives back every JSON value as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(toJson(value, 'value')).toEqual(value);
    })
  );
});

test.each([
  [new Date(0), 'config is a Date'],
  [new Map(), 'config is a Map'],
  [Number.NaN, 'config is NaN'],
  [10n, 'config is a bigint'],
  [undefined, 'config is undefined'],
  [{ a: [1, { b: () => 1 }] }, 'config.a[1].b is a function'],
  [[undefined], 'config[0] is undefined'],
])('toJson refuses %s and names the path', (value, message) => {
  expect(() => toJson(value, 'config')).toThrow(message);
});

test('toJson refuses circles, and takes shared references', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  expect(() => toJson(circle, 'config')).toThrow('config.self is a circular reference');
  const shared = { n: 1 };
  expect(toJson([shared, shared], 'config')).toEqual([shared, shared]);
});

test('utf8Bytes counts as UTF-8 does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
    })
  );
});

test('cutText keeps to its bytes and cuts no character in two', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 2000 }), fc.integer({ min: 64, max: 500 }), (text, bytes) => {
      const cut = cutText(text, bytes);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(Math.max(bytes, Math.min(bytes, Buffer.byteLength(text))));
      expect(cut.isWellFormed()).toBe(text.isWellFormed());
    })
  );
});

test('sameJson ignores the order of fields, not of items', () => {
  expect(sameJson({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
  expect(sameJson({ a: 1 }, { a: 1, b: undefined })).toBe(true);
  expect(sameJson([1, 2], [2, 1])).toBe(false);
  expect(sameJson({ a: null }, { b: null })).toBe(false);
  expect(sameJson([], {})).toBe(false);
});

test('parts keep everything in order, none is empty, and only what is too large by itself is over the limits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 30 })),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 5 }),
      (items, maxBytes, maxItems) => {
        const parts = splitByBytes(items, maxBytes, maxItems);
        expect(parts.flat()).toEqual(items);
        for (const part of parts) {
          const bytes = part.reduce((sum, item) => sum + jsonBytes(item) + 1, 0);
          expect(part.length).toBeGreaterThan(0);
          expect(part.length).toBeLessThanOrEqual(maxItems);
          expect(part.length === 1 || bytes <= maxBytes).toBe(true);
        }
      }
    )
  );
});
