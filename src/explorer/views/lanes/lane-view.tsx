import { hrefOf, type Route } from '../../address/route.js';
import { Lane as LaneName } from '../../parts/chain.js';
import { Chart } from '../../parts/chart.js';
import { FactList, Section } from '../../parts/facts.js';
import { Hex } from '../../parts/hex.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { countText, durationText } from '../../parts/texts.js';
import { Age } from '../../parts/time.js';
import type { LaneAnswer } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';

const RELOAD_EVERY_MS = 5_000;
const BUCKET_MS = 300_000;

/** One lane: its last day as charts, its OnRamps with their gaps, and the CCVs that it waits for. */
export function LaneView({ route: { subject } }: { readonly route: Route }) {
  const { value, error, reload } = useAnswer<LaneAnswer>(`v2/lanes/${encodeURIComponent(subject)}`);
  useReloadOnChange(reload, RELOAD_EVERY_MS, ({ lane }) => lane === subject);
  return (
    <>
      <h1>{value ? <LaneName source={value.sourceChainSelector} dest={value.destChainSelector} /> : 'Lane'}</h1>
      <p class="lead">
        <a href={hrefOf('messages', '', queryOf(subject))}>Messages of the lane</a>
      </p>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && <Charts lane={value} />}
      {value && <Waiting lane={value} />}
      {value?.onRamps.map((onRamp) => (
        <OnRamp key={onRamp.address} onRamp={onRamp} chain={value.sourceChainSelector} />
      ))}
    </>
  );
}

function queryOf(subject: string): Record<string, string> {
  const [source = '', dest = ''] = subject.split('-');
  return { source, dest };
}

function Charts({ lane: { series } }: { readonly lane: LaneAnswer }) {
  if (series.length === 0) return <Nothing text="Nothing happened on this lane in the last 24 hours." />;
  const timesMs = series.map(({ startsAt }) => Date.parse(startsAt));
  const shared = { timesMs, stepMs: BUCKET_MS };
  return (
    <Section title="Last 24 hours" aside={<span class="aside">by five minutes</span>}>
      <div class="charts">
        <Chart
          {...shared}
          title="Messages"
          textOf={countText}
          series={[
            { name: 'sent', values: series.map(({ sent }) => sent) },
            { name: 'verified', values: series.map(({ verified }) => verified) },
            { name: 'executed', values: series.map(({ executed }) => executed) },
          ]}
        />
        <Chart
          {...shared}
          title="From sent to verified"
          textOf={durationText}
          series={[
            { name: 'p50', values: series.map(({ sentToVerified }) => sentToVerified.p50Ms) },
            { name: 'p95', values: series.map(({ sentToVerified }) => sentToVerified.p95Ms) },
          ]}
        />
        <Chart
          {...shared}
          title="From sent to executed"
          textOf={durationText}
          series={[
            { name: 'p50', values: series.map(({ sentToExecuted }) => sentToExecuted.p50Ms) },
            { name: 'p95', values: series.map(({ sentToExecuted }) => sentToExecuted.p95Ms) },
          ]}
        />
      </div>
    </Section>
  );
}

function Waiting({ lane: { waiting, sourceChainSelector } }: { readonly lane: LaneAnswer }) {
  return (
    <Section
      title="Waiting for verifications"
      aside={
        <span class="aside">
          {countText(waiting.messages)} messages, {countText(waiting.timedOut)} of them given up
        </span>
      }
    >
      {waiting.byCCV.length === 0 ? (
        <p class="none">No message waits for a CCV.</p>
      ) : (
        <FactList
          facts={waiting.byCCV.map(({ address, messages, oldestSentAt }) => [
            <Hex key={address} value={address} label="CCV" chain={sourceChainSelector} kind="address" />,
            <>
              {countText(messages)} messages, the oldest sent <Age at={oldestSentAt} />
            </>,
          ])}
        />
      )}
    </Section>
  );
}

function OnRamp({ onRamp, chain }: { readonly onRamp: LaneAnswer['onRamps'][number]; readonly chain: string }) {
  return (
    <Section title="OnRamp" aside={<Hex value={onRamp.address} label="OnRamp" chain={chain} kind="address" />}>
      <FactList
        isWide
        facts={[
          ['First number', countText(onRamp.firstNumber)],
          ['Highest number', countText(onRamp.highestNumber)],
          ['Without a gap through', countText(onRamp.contiguousNumber)],
          ['Missing numbers', countText(onRamp.missing)],
        ]}
      />
      {onRamp.gaps.length > 0 && (
        <ul class="gaps">
          {onRamp.gaps.map((gap) => (
            <li key={gap.fromNumber}>
              <b>{numbersOf(gap)}</b> missing for <Age at={gap.since} />
              {gap.askedAt === null ? ', not asked for yet' : <AskedAgain gap={gap} askedAt={gap.askedAt} />}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function numbersOf({ fromNumber, throughNumber }: LaneAnswer['onRamps'][number]['gaps'][number]): string {
  return fromNumber === throughNumber ? fromNumber : `${fromNumber}–${throughNumber}`;
}

function AskedAgain(props: { readonly gap: { readonly timesAsked: number }; readonly askedAt: string }) {
  return (
    <>
      , asked for {props.gap.timesAsked} times, last <Age at={props.askedAt} />
    </>
  );
}
