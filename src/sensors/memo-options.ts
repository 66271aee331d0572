/** The options in a loop's memo, which any version of this package, or anybody, may have written. */
export function readMemoOptions(text: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const options: unknown = JSON.parse(text);
    return typeof options === 'object' && options !== null ? (options as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
