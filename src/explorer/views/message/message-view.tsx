import type { Route } from '../../address/route.js';
import { Lane } from '../../parts/chain.js';
import { FactList, Section } from '../../parts/facts.js';
import { Hex } from '../../parts/hex.js';
import { Failure, Loading } from '../../parts/notice.js';
import { Badge, MessageStatus } from '../../parts/status.js';
import { countText, durationText } from '../../parts/texts.js';
import type { MessageDetail } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';
import { RawFields } from './raw-fields.js';
import { RequiredCCVs } from './required-ccvs.js';
import { Timeline } from './timeline.js';
import { stepsOf, wholeWayMs } from './timeline-steps.js';

/** Everything that is known of one message. */
export function MessageView({ route: { subject } }: { readonly route: Route }) {
  const { value, error, reload } = useAnswer<MessageDetail>(`v2/messages/${encodeURIComponent(subject)}`);
  // one that is not here yet may come
  useReloadOnChange(reload, 300, ({ messageId }) => messageId === (value?.messageId ?? subject.toLowerCase()));
  return (
    <>
      <h1>Message</h1>
      <p class="lead">
        <Hex value={value?.messageId ?? subject} label="message id" full />
      </p>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && <Known message={value} />}
    </>
  );
}

function Known({ message }: { readonly message: MessageDetail }) {
  const steps = stepsOf(message);
  const wholeMs = wholeWayMs(steps);
  const [source, dest] = [message.sourceChainSelector, message.destChainSelector];
  return (
    <>
      <p class="summary">
        <MessageStatus status={message.status} orphaned={message.orphaned} />
        <ExecutionState message={message} />
        <Lane source={source} dest={dest} />
        <span>number {countText(message.messageNumber)}</span>
        {wholeMs !== null && (
          <span>
            {steps[0]?.kind === 'sent' ? 'sent' : 'indexed'} to executed <b>{durationText(wholeMs)}</b>
          </span>
        )}
      </p>
      <div class="columns">
        <Section title="Its way">
          <Timeline message={message} steps={steps} />
        </Section>
        <div>
          <Section title="From and to">
            <FactList
              facts={[
                ['Sender', <Hex value={message.sender} label="sender" chain={source} kind="address" />],
                ['Receiver', <Hex value={message.receiver} label="receiver" chain={dest} kind="address" />],
                ['OnRamp', <Hex value={message.onRamp} label="OnRamp" chain={source} kind="address" />],
                ['OffRamp', <Hex value={message.offRamp} label="OffRamp" chain={dest} kind="address" />],
                ['Executor', <Hex value={message.executor} label="executor" chain={source} kind="address" />],
              ]}
            />
          </Section>
          <Tokens message={message} />
        </div>
      </div>
      <RequiredCCVs message={message} />
      <RawFields message={message} />
    </>
  );
}

function ExecutionState({ message: { executions } }: { readonly message: MessageDetail }) {
  const last = executions.filter(({ orphaned }) => !orphaned).at(-1);
  if (!last) return <Badge tone="busy" text="not executed" />;
  return last.state === 'success' ? (
    <Badge tone="good" text="executed" />
  ) : (
    <Badge tone={last.state === 'failure' ? 'bad' : 'busy'} text={`execution: ${last.state}`} />
  );
}

function Tokens({ message }: { readonly message: MessageDetail }) {
  const { tokenTransfer: transfer, sourceChainSelector: source, destChainSelector: dest } = message;
  if (transfer === null) return null;
  return (
    <Section title="Token transfer">
      <FactList
        facts={[
          ['Amount', <code class="whole">{countText(transfer.amount)}</code>],
          ['Token', <Hex value={transfer.sourceToken} label="source token" chain={source} kind="address" />],
          ['Pool', <Hex value={transfer.sourcePool} label="source pool" chain={source} kind="address" />],
          ['Becomes', <Hex value={transfer.destToken} label="destination token" chain={dest} kind="address" />],
          ['For', <Hex value={transfer.receiver} label="token receiver" chain={dest} kind="address" />],
        ]}
      />
    </Section>
  );
}
