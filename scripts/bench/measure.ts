/** The aim of a figure: to reach at least, or to stay at or under, this ratio. */
export interface Aim {
  readonly kind: 'atLeast' | 'atMost';
  readonly ratio: number;
}

/** One line of the table. */
export interface Row {
  readonly what: string;
  /** Of both figures, for example `records/s`. */
  readonly unit: string;
  readonly product: number;
  readonly ceiling: number;
  /** Median over the rounds. */
  readonly ratio: number;
  /** Least and greatest ratio of a round. */
  readonly spread: readonly [low: number, high: number];
  /** Null: none. */
  readonly aim: Aim | null;
  /** Details of the measurement. */
  readonly note: string;
}

/** Figures of the product and of its ceiling from rounds in turn. */
export type Comparison = Pick<Row, 'product' | 'ceiling' | 'ratio' | 'spread'>;

/**
 * Measures ceiling and product in turn, `rounds` times after one round to warm up, and once more the ceiling: each
 * figure of the product is held against the ceilings just before and just after it, so that a machine that gets slower
 * while this runs takes nothing from the ratio.
 */
export async function compareInTurn(
  rounds: number,
  measure: { readonly product: () => Promise<number>; readonly ceiling: () => Promise<number> },
): Promise<Comparison> {
  await measure.product();
  await measure.ceiling();
  const ceilings = [await measure.ceiling()];
  const products: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    products.push(await measure.product());
    ceilings.push(await measure.ceiling());
  }
  const ratios = products.map((product, round) => (2 * product) / (ceilings[round]! + ceilings[round + 1]!));
  return {
    product: median(products),
    ceiling: median(ceilings),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
  };
}

/** The middle of an odd number of values, the upper middle of an even one. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Runs `work` and returns how often `count` fits into a second of it. */
export async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - startMs);
}

/** Whether the aim is reached; null without one. */
export function isMet({ aim, ratio }: Pick<Row, 'aim' | 'ratio'>): boolean | null {
  if (aim === null) return null;
  return aim.kind === 'atLeast' ? ratio >= aim.ratio : ratio <= aim.ratio;
}
