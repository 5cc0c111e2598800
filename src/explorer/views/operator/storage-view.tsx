import { Bars } from '../../parts/bars.js';
import { Section } from '../../parts/facts.js';
import { Failure, Loading } from '../../parts/notice.js';
import { Badge } from '../../parts/status.js';
import { countText, durationText } from '../../parts/texts.js';
import { Time } from '../../parts/time.js';
import { stateTone } from './sources-view.js';
import { type Coverage, errorText, type Status, type TierStatus, useStatus } from './status.js';

/** Tiers with the times that each is complete for, and how far each follows. */
export function StorageView() {
  const { value, error, reload } = useStatus();
  return (
    <>
      <h1 class="with-space">Storage</h1>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value &&
        ('unavailable' in value.tiers ? <p>{value.tiers.unavailable}</p> : <Tiers value={value} tiers={value.tiers} />)}
    </>
  );
}

/** The time on the left where a tier has everything from the beginning: a little before all others. */
function beginningMs(nowMs: number, tiers: readonly TierStatus[]): number {
  const known = tiers.map(({ coverage }) => coverage.afterMs ?? -1).filter((ms) => ms > 0);
  return nowMs - Math.max(60_000, nowMs - Math.min(nowMs, ...known)) * 1.5;
}

function Tiers({ value, tiers }: { readonly value: Status; readonly tiers: readonly TierStatus[] }) {
  const nowMs = Date.parse(value.now);
  const firstMs = beginningMs(nowMs, tiers);
  return (
    <>
      <Section title="Coverage" aside={<span class="aside">ingestion times that each tier is complete for</span>}>
        <Bars
          label="Coverage of the tiers over time"
          bars={tiers.map(({ name, coverage }, index) => ({
            name,
            kind: (index % 3) + 1,
            fromMs: coverage.afterMs === null || coverage.afterMs < 0 ? firstMs : coverage.afterMs,
            throughMs: coverage.throughMs ?? nowMs,
            note: <CoverageText coverage={coverage} />,
          }))}
        />
      </Section>
      {tiers.map((tier) => (
        <Tier key={tier.name} tier={tier} />
      ))}
    </>
  );
}

function CoverageText({ coverage }: { readonly coverage: Coverage }) {
  const { afterMs, throughMs, afterPosition, throughPosition } = coverage;
  return (
    <>
      {afterMs === null || afterMs < 0 ? 'from the beginning' : <From ms={afterMs} />}{' '}
      {throughMs === null ? 'until now' : <Until ms={throughMs} />}, positions {countText(afterPosition)} to{' '}
      {countText(throughPosition)}
    </>
  );
}

const From = ({ ms }: { readonly ms: number }) => (
  <>
    after <Time at={ms} />
  </>
);
const Until = ({ ms }: { readonly ms: number }) => (
  <>
    until <Time at={ms} />
  </>
);

function Tier({ tier }: { readonly tier: TierStatus }) {
  const problem = tier.health.healthy ? errorText(tier.lastError) : tier.health.reason;
  return (
    <Section
      title={tier.name}
      aside={
        <span>
          {tier.health.healthy ? <Badge tone="good" text="healthy" /> : <Badge tone="bad" text="not healthy" />}{' '}
          {tier.state !== null && <Badge tone={stateTone(tier.state)} text={tier.state} />}
        </span>
      }
    >
      {problem !== null && <p class="notice notice-bad">{problem}</p>}
      <dl class="numbers">
        <Fact name="Tier" text={tier.tier} />
        <Fact name="Role" text={tier.role} />
        <Fact name="Writes" text={tier.required ? 'required' : 'not required'} />
        <Fact name="Read" text={tier.condition} />
        {tier.lag && <Fact name="Positions behind" text={countText(tier.lag.positions)} />}
        {tier.lag && <Fact name="Lag" text={tier.lag.ms === null ? '–' : durationText(tier.lag.ms)} />}
      </dl>
    </Section>
  );
}

function Fact({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}
