import { useEffect, useRef, useState } from 'preact/hooks';

/** Values over time, drawn as a line; null: there is none. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

const HEIGHT = 170;
const LEFT = 46;
const BOTTOM = 20;
const TOP = 8;
const FIRST_WIDTH = 480;
const DASHES = ['', '6 3', '2 3'];
const HOURS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/**
 * Lines over time, as wide as there is room. All that they say is in the table that its reader can open; lines differ
 * in their dashes as well as their colours.
 */
export function Chart({
  title,
  timesMs,
  stepMs,
  series,
  textOf,
}: {
  readonly title: string;
  /** Of each value, rising. A step without a time has no value. */
  readonly timesMs: readonly number[];
  readonly stepMs: number;
  readonly series: readonly Series[];
  readonly textOf: (value: number) => string;
}) {
  const [width, measured] = useWidth();
  const [firstMs = 0, lastMs = 0] = [timesMs[0], timesMs.at(-1)];
  const top = roundUp(Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0))));
  const x = (ms: number) => LEFT + ((ms - firstMs) / Math.max(stepMs, lastMs - firstMs)) * (width - LEFT - 6);
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  return (
    <figure class="chart" ref={measured}>
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend" aria-hidden="true">
          {series.map(({ name }, index) => (
            <li key={name}>
              <svg width="22" height="8" aria-hidden="true">
                <path class={`series-${index + 1}`} d="M0 4h22" stroke-dasharray={DASHES[index]} />
              </svg>
              {name}
            </li>
          ))}
        </ul>
      </figcaption>
      <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <path class="grid" d={`M${LEFT} ${y(part * top)}H${width}`} />
            <text x={LEFT - 6} y={y(part * top) + 4} text-anchor="end">
              {textOf(part * top)}
            </text>
          </g>
        ))}
        {ticks(firstMs, lastMs).map((ms) => (
          <text key={ms} x={Math.min(Math.max(x(ms), LEFT + 14), width - 16)} y={HEIGHT - 4} text-anchor="middle">
            {HOURS.format(ms)}
          </text>
        ))}
        {series.map(({ name, values }, index) => (
          <g key={name} class={`series-${index + 1}`}>
            <path d={lineOf(values, timesMs, stepMs, x, y)} stroke-dasharray={DASHES[index]} />
            {values.length < MOST_DOTS &&
              values.map((value, at) =>
                value === null ? null : <circle key={timesMs[at]} cx={x(timesMs[at] ?? 0)} cy={y(value)} r="2.5" />,
              )}
          </g>
        ))}
      </svg>
      <details>
        <summary>{title} as a table</summary>
        <Values title={title} timesMs={timesMs} series={series} textOf={textOf} />
      </details>
    </figure>
  );
}

/** Lines of more values have no dots. */
const MOST_DOTS = 60;

function Values(props: {
  readonly title: string;
  readonly timesMs: readonly number[];
  readonly series: readonly Series[];
  readonly textOf: (value: number) => string;
}) {
  const { title, timesMs, series, textOf } = props;
  return (
    <table class="rows">
      <caption class="unseen">{title}</caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          {series.map(({ name }) => (
            <th key={name} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {timesMs.map((ms, at) => (
          <tr key={ms}>
            <th scope="row">{HOURS.format(ms)}</th>
            {series.map(({ name, values }) => (
              <td key={name} class="number">
                {values[at] == null ? '–' : textOf(values[at])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function lineOf(
  values: readonly (number | null)[],
  timesMs: readonly number[],
  stepMs: number,
  x: (ms: number) => number,
  y: (value: number) => number,
): string {
  let [line, lastMs] = ['', Number.NEGATIVE_INFINITY];
  for (const [at, value] of values.entries()) {
    const ms = timesMs[at] ?? 0;
    if (value === null) continue;
    line += `${ms - lastMs > stepMs ? 'M' : 'L'}${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
    lastMs = ms;
  }
  return line;
}

/** The next of 1, 2, 4, 5, 10, 20, … */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((each) => each * unit >= value) ?? 10) * unit;
}

function ticks(firstMs: number, lastMs: number): number[] {
  return lastMs > firstMs ? [firstMs, (firstMs + lastMs) / 2, lastMs] : [firstMs];
}

function useWidth() {
  const measured = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(FIRST_WIDTH);
  useEffect(() => {
    const element = measured.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.max(200, Math.floor(entry?.contentRect.width ?? 0))),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [width, measured] as const;
}
