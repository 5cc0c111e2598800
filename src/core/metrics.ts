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
