/**
 * Results in the order of their items, some of them worked on ahead. One that fails throws when its turn comes; nothing
 * more is begun when the reader stops.
 */
export async function* inOrder<T, R>(
  items: readonly T[],
  ahead: number,
  act: (item: T) => Promise<R>
): AsyncIterable<Awaited<R>> {
  const running: Promise<R>[] = [];
  const begin = (item: T): void => {
    const result = act(item);
    // seen when its turn comes, or never
    result.catch(() => undefined);
    running.push(result);
  };
  for (const item of items.slice(0, ahead)) begin(item);
  for (let index = 0; index < items.length; index++) {
    const [next] = running.splice(0, 1);
    yield await (next as Promise<R>);
    const item = items[index + ahead];
    if (index + ahead < items.length) begin(item as T);
  }
}
