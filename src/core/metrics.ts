import {
  Counter,
  type CounterConfiguration,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

export { Registry };

/** The text of a scrape: each metric once, with the samples of all registries; default labels tell those apart. */
export async function scrape(registries: readonly Registry[]): Promise<string> {
  const metrics = new Map<string, { readonly head: readonly string[]; readonly samples: string[] }>();
  for (const registry of registries)
    for (const { name } of registry.getMetricsAsArray()) {
      const [help = '', type = '', ...samples] = (await registry.getSingleMetricAsString(name)).split('\n');
      const metric = metrics.get(name) ?? { head: [help, type], samples: [] };
      metrics.set(name, metric);
      for (const sample of samples) metric.samples.push(sample);
    }
  return `${[...metrics.values()].map(({ head, samples }) => [...head, ...samples].join('\n')).join('\n\n')}\n`;
}

/** The counter of that name in `registry`, created on first use, so that several instances of a component share it. */
export function counter<L extends string>(
  registry: Registry,
  config: Omit<CounterConfiguration<L>, 'registers'>,
): Counter<L> {
  const existing = registry.getSingleMetric(config.name);
  return existing ? (existing as Counter<L>) : new Counter({ ...config, registers: [registry] });
}

/** The gauge of that name in `registry`, created on first use. */
export function gauge<L extends string>(
  registry: Registry,
  config: Omit<GaugeConfiguration<L>, 'registers'>,
): Gauge<L> {
  const existing = registry.getSingleMetric(config.name);
  return existing ? (existing as Gauge<L>) : new Gauge({ ...config, registers: [registry] });
}

/** The histogram of that name in `registry`, created on first use. Durations are in seconds, as Prometheus expects. */
export function histogram<L extends string>(
  registry: Registry,
  config: Omit<HistogramConfiguration<L>, 'registers'>,
): Histogram<L> {
  const existing = registry.getSingleMetric(config.name);
  return existing ? (existing as Histogram<L>) : new Histogram({ ...config, registers: [registry] });
}

/** A part of a histogram under another name. It is made at a scrape, and costs nothing before. */
export interface HistogramViewConfig {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly source: Histogram;
  /** The values that are in the part, by their labels. */
  admits(labels: Readonly<Record<string, unknown>>): boolean;
}

/** The view of that name in `registry`, created on first use. */
export function histogramView(registry: Registry, config: HistogramViewConfig): void {
  if (registry.getSingleMetric(config.name) === undefined) new HistogramView(registry, config);
}

class HistogramView extends Histogram {
  readonly #view: HistogramViewConfig;

  constructor(registry: Registry, view: HistogramViewConfig) {
    const { name, help, labelNames } = view;
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
    this.#view = view;
  }

  override async get() {
    const { source, admits, name, help } = this.#view;
    const whole = await source.get();
    const values = whole.values
      .filter(({ labels }) => admits(labels))
      .map((value) => ({ ...value, metricName: value.metricName?.replace(whole.name, name) ?? name }));
    return { ...whole, name, help, values };
  }

  /** The form that the text of a scrape is made from, where there is one. */
  getForPromString() {
    return this.get();
  }
}
