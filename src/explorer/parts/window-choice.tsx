import { WINDOWS, type WindowName } from '../server/answers.js';

export const WINDOW_TEXTS: Readonly<Record<WindowName, string>> = {
  '5m': 'last 5 minutes',
  '1h': 'last hour',
  '24h': 'last 24 hours',
};

/** Chooses the window of time that figures are of. */
export function WindowChoice(props: { readonly value: WindowName; readonly choose: (window: WindowName) => void }) {
  return (
    <div class="field">
      <label class="unseen" for="window">
        Window of time
      </label>
      <select
        id="window"
        value={props.value}
        onChange={(event) => props.choose(event.currentTarget.value as WindowName)}
      >
        {WINDOWS.map((name) => (
          <option key={name} value={name}>
            {WINDOW_TEXTS[name]}
          </option>
        ))}
      </select>
    </div>
  );
}
