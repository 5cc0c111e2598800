import { goTo, hrefOf, type Route, withValue } from '../../address/route.js';
import { Bars } from '../../parts/bars.js';
import { Section } from '../../parts/facts.js';
import { Failure, Loading } from '../../parts/notice.js';
import { pathOf } from '../../server/ask.js';
import { useAnswer } from '../../server/use-answer.js';

/** `GET /explain`: the slices of a list, each with its backend. */
interface Plan {
  readonly nowMs: number;
  readonly slices: readonly {
    readonly startMs: number;
    /** Null: open. */
    readonly endMs: number | null;
    /** Null: no backend answers for it. */
    readonly backend: string | null;
    readonly condition?: string;
    readonly others: readonly { readonly backend: string; readonly why: string }[];
  }[];
}

const KINDS: Readonly<Record<string, string>> = { messages: 'messages', verifierresults: 'verifier results' };
const SPANS: Readonly<Record<string, string>> = {
  '': 'all times',
  '300000': 'the last 5 minutes',
  '3600000': 'the last hour',
  '86400000': 'the last day',
};

/** Which tier answers which part of a list, and why no other does. */
export function PlanView({ route: { query } }: { readonly route: Route }) {
  const kind = query.get('kind') ?? 'messages';
  const spanMs = query.get('span') ?? '';
  const start = spanMs === '' ? '0' : String(Math.floor((Date.now() - Number(spanMs)) / 1_000) * 1_000);
  const { value, error, reload } = useAnswer<Plan>(pathOf('explain', { kind, start, limit: '100' }));
  const apply = (name: string, chosen: string) => goTo(hrefOf('plan', '', withValue(query, name, chosen)));
  return (
    <>
      <div class="title-row">
        <h1>Plan of a list</h1>
        <form class="filter-row" aria-label="List" onSubmit={(event) => event.preventDefault()}>
          <Choice name="kind" label="Records" texts={KINDS} value={kind} apply={apply} />
          <Choice name="span" label="Ingestion time" texts={SPANS} value={spanMs} apply={apply} />
          <button type="button" class="quiet" onClick={reload}>
            Plan again
          </button>
        </form>
      </div>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && <Slices plan={value} />}
    </>
  );
}

function Choice(props: {
  readonly name: string;
  readonly label: string;
  readonly texts: Readonly<Record<string, string>>;
  readonly value: string;
  readonly apply: (name: string, value: string) => void;
}) {
  const { name, label, texts, value, apply } = props;
  return (
    <div class="field">
      <label class="unseen" for={`plan-${name}`}>
        {label}
      </label>
      <select id={`plan-${name}`} value={value} onChange={(event) => apply(name, event.currentTarget.value)}>
        {Object.entries(texts).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

function Slices({ plan: { nowMs, slices } }: { readonly plan: Plan }) {
  const backends = [...new Set(slices.map(({ backend }) => backend))];
  const [second] = slices.slice(1);
  // "all times" begin in 1970: the first slice is drawn as long as the others together
  const shownFromMs = Math.max(slices[0]?.startMs ?? 0, second ? 2 * second.startMs - nowMs : nowMs - 60_000);
  return (
    <Section title="Slices" aside={<span class="aside">in the order of ingestion time</span>}>
      <Bars
        label="Slices of the list over time"
        bars={slices.map(({ startMs, endMs, backend, others }) => ({
          name: backend ?? 'no backend',
          kind: backend === null ? 'none' : (backends.indexOf(backend) % 3) + 1,
          fromMs: Math.max(shownFromMs, startMs),
          throughMs: Math.min(nowMs, endMs ?? nowMs),
          note: others.map((other) => (
            <div key={other.backend}>
              not {other.backend}: {readable(other.why)}
            </div>
          )),
        }))}
      />
    </Section>
  );
}

/** Unix milliseconds in a text become times in UTC. */
function readable(text: string): string {
  return text
    .replace('times above -1 ', 'times from the beginning ')
    .replace(/\b\d{13}\b/g, (ms) => new Date(Number(ms)).toISOString().replace('T', ' '));
}
