/** How many records a tier holds where growth is measured. */
export const SIZES: readonly number[] = [10_000, 100_000, 1_000_000];
export const QUICK_SIZES: readonly number[] = [2_000, 10_000];

const STEP = 1_000;

/** Counts with commas between them, as `--sizes` takes them; else the text to write instead. */
export function parseSizes(text: string): readonly number[] | string {
  const sizes = text.split(',').map(Number);
  const areSizes = sizes.every((size) => Number.isSafeInteger(size) && size >= STEP && size % STEP === 0);
  return areSizes ? sizes : `Write multiples of ${STEP} with commas between them, for example ${SIZES.join(',')}.`;
}
