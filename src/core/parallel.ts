/** `map` over all items, at most `most` under way at once, results in order; ends with the first failure. */
export async function mapInParallel<T, R>(
  items: readonly T[],
  most: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await map(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return results;
}

/** Waits for all, also when one fails: unwatched work could take effect after its failure was handled. */
export async function allOf<T extends readonly Promise<unknown>[]>(
  promises: readonly [...T],
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  await Promise.allSettled(promises);
  return (await Promise.all(promises)) as { -readonly [I in keyof T]: Awaited<T[I]> };
}
