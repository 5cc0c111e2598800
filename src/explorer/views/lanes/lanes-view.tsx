import { useState } from 'preact/hooks';
import { hrefOf } from '../../address/route.js';
import { Lane as LaneName } from '../../parts/chain.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { Badge } from '../../parts/status.js';
import { countText, durationText } from '../../parts/texts.js';
import { WINDOW_TEXTS, WindowChoice } from '../../parts/window-choice.js';
import type { Lane, LanesAnswer, WindowName } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';

const RELOAD_EVERY_MS = 3_000;

/** All lanes, with the numbers of a window of time. */
export function LanesView() {
  const { value, error, reload } = useAnswer<LanesAnswer>('v2/lanes');
  const [window, setWindow] = useState<WindowName>('1h');
  useReloadOnChange(reload, RELOAD_EVERY_MS);
  return (
    <>
      <div class="title-row">
        <h1>Lanes</h1>
        <WindowChoice value={window} choose={setWindow} />
      </div>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value?.lanes.length === 0 && <Nothing text="No lane has a message yet." />}
      {value && value.lanes.length > 0 && <LaneTable lanes={value.lanes} window={window} />}
    </>
  );
}

function LaneTable({ lanes, window }: { readonly lanes: readonly Lane[]; readonly window: WindowName }) {
  return (
    <table class="rows stacked">
      <caption class="unseen">{`Lanes in the ${WINDOW_TEXTS[window]}`}</caption>
      <thead>
        <tr>
          <th scope="col">Lane</th>
          {['Sent', 'Verified', 'Executed', 'To verified p50 · p95', 'To executed p50 · p95', 'Waiting', 'Height'].map(
            (name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ),
          )}
          <th scope="col">Gaps</th>
        </tr>
      </thead>
      <tbody>
        {lanes.map((lane) => (
          <Row key={laneKey(lane)} lane={lane} window={window} />
        ))}
      </tbody>
    </table>
  );
}

const laneKey = (lane: Pick<Lane, 'sourceChainSelector' | 'destChainSelector'>): string =>
  `${lane.sourceChainSelector}-${lane.destChainSelector}`;

function Row({ lane, window }: { readonly lane: Lane; readonly window: WindowName }) {
  const { sent, verified, executed, sentToVerified, sentToExecuted } = lane.windows[window];
  const cells: readonly (readonly [string, string])[] = [
    ['sent', countText(sent)],
    ['verified', countText(verified)],
    ['executed', countText(executed)],
    ['to verified', percentiles(sentToVerified)],
    ['to executed', percentiles(sentToExecuted)],
    ['waiting', countText(lane.waiting.messages)],
    ['height', lane.onRamps.map(({ contiguousNumber }) => countText(contiguousNumber)).join(', ')],
  ];
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf('lane', laneKey(lane))}>
          <LaneName source={lane.sourceChainSelector} dest={lane.destChainSelector} />
        </a>
      </th>
      {cells.map(([name, text]) => (
        <td key={name} class="number" data-name={name}>
          {text}
        </td>
      ))}
      <td data-name="gaps">
        <Gaps lane={lane} />
      </td>
    </tr>
  );
}

function Gaps({ lane }: { readonly lane: Lane }) {
  const missing = lane.onRamps.reduce((sum, onRamp) => sum + BigInt(onRamp.missing), 0n);
  return missing === 0n ? (
    <Badge tone="good" text="none" />
  ) : (
    <Badge tone="bad" text={`${countText(String(missing))} missing`} />
  );
}

export function percentiles({ p50Ms, p95Ms }: Lane['windows']['1h']['sentToVerified']): string {
  return p50Ms === null || p95Ms === null ? '–' : `${durationText(p50Ms)} · ${durationText(p95Ms)}`;
}
