/** A word with a mark whose shape says it as well as its colour. */
export function Badge({ tone, text, title }: { readonly tone: Tone; readonly text: string; readonly title?: string }) {
  return (
    <span class={`badge badge-${tone}`} title={title}>
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
        {MARKS[tone]}
      </svg>
      {text}
    </span>
  );
}

/** `good`: done; `busy`: under way; `bad`: it failed; `idle`: it does not count. */
export type Tone = 'good' | 'busy' | 'bad' | 'idle';

const MARKS = {
  good: <circle cx="5" cy="5" r="4.2" fill="currentColor" />,
  busy: <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="3 1.6" />,
  bad: <path d="M5 .8L9.4 9H.6z" fill="currentColor" />,
  idle: <path d="M1 5h8" stroke="currentColor" stroke-width="1.8" />,
} as const;

/** The status of a message. */
export function MessageStatus({ status, orphaned }: { readonly status: string; readonly orphaned: boolean }) {
  if (orphaned) return <Badge tone="idle" text="orphaned" title="A reorg removed the message from its source chain." />;
  switch (status) {
    case 'success':
      return <Badge tone="good" text="verified" title="Every known CCV has answered." />;
    case 'timeout':
      return <Badge tone="bad" text="timeout" title="The visibility window ended before every CCV had answered." />;
    default:
      return <Badge tone="busy" text={status} title="Verifications are still missing." />;
  }
}
