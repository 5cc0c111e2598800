import { useState } from 'preact/hooks';
import { Hex } from '../../parts/hex.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { Badge, type Tone } from '../../parts/status.js';
import { countText } from '../../parts/texts.js';
import { Age } from '../../parts/time.js';
import { WINDOW_TEXTS, WindowChoice } from '../../parts/window-choice.js';
import type { VerifiersAnswer, WindowName } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';
import { percentiles } from './lanes-view.js';

const RELOAD_EVERY_MS = 5_000;
const BREAKER_TONES: Readonly<Record<string, Tone>> = { closed: 'good', open: 'bad' };

/** Verifiers: what each answered, how fast, what it still owes, and whether workers leave it alone. */
export function VerifiersView() {
  const { value, error, reload } = useAnswer<VerifiersAnswer>('v2/verifiers');
  const [window, setWindow] = useState<WindowName>('1h');
  useReloadOnChange(reload, RELOAD_EVERY_MS);
  return (
    <>
      <div class="title-row">
        <h1>Verifiers</h1>
        <WindowChoice value={window} choose={setWindow} />
      </div>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value?.verifiers.length === 0 && <Nothing text="No verifier is known." />}
      {value && value.verifiers.length > 0 && (
        <table class="rows stacked">
          <caption class="unseen">{`Verifiers in the ${WINDOW_TEXTS[window]}`}</caption>
          <thead>
            <tr>
              <th scope="col">Verifier</th>
              <th scope="col">CCVs</th>
              <th scope="col" class="number">
                Answered
              </th>
              <th scope="col" class="number">
                p50 · p95
              </th>
              <th scope="col" class="number">
                Waiting
              </th>
              <th scope="col">Circuit</th>
            </tr>
          </thead>
          <tbody>
            {value.verifiers.map((verifier) => (
              <Row key={verifier.name} verifier={verifier} window={window} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Row(props: { readonly verifier: VerifiersAnswer['verifiers'][number]; readonly window: WindowName }) {
  const { name, addresses, answered, latency, waiting, oldestWaitingAt, workers } = props.verifier;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-name="CCVs">
        <span>
          {addresses.map((address) => (
            <Hex key={address} value={address} label="CCV" kind="address" />
          ))}
        </span>
      </td>
      <td class="number" data-name="answered">
        {countText(answered[props.window])}
      </td>
      <td class="number" data-name="p50 · p95">
        {percentiles(latency[props.window])}
      </td>
      <td class="number" data-name="waiting">
        <span>
          {countText(waiting)}
          {oldestWaitingAt !== null && (
            <span class="aside">
              , oldest <Age at={oldestWaitingAt} />
            </span>
          )}
        </span>
      </td>
      <td data-name="circuit">
        <span>
          {workers.map(({ worker, breaker }) => (
            <Badge key={worker} tone={BREAKER_TONES[breaker] ?? 'busy'} text={breaker} title={worker} />
          ))}
        </span>
      </td>
    </tr>
  );
}
