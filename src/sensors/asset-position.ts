/** How far a sensor of one asset has read, as its cursor says; `undefined` for any other cursor. Pure. */
export function positionIn(cursor: unknown): number | undefined {
  if (typeof cursor !== 'object' || cursor === null) return undefined;
  const { position, retries } = cursor as { readonly position?: unknown; readonly retries?: unknown };
  return typeof position === 'number' && Array.isArray(retries) ? position : undefined;
}
