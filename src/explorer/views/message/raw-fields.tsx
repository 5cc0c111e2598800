import { FactList, Section } from '../../parts/facts.js';
import { CopyButton, Hex } from '../../parts/hex.js';
import { countText, textIn } from '../../parts/texts.js';
import { Time } from '../../parts/time.js';
import type { MessageDetail } from '../../server/answers.js';

/** The fields of the message as they are on the wire. */
export function RawFields({ message }: { readonly message: MessageDetail }) {
  const { value, kind, depth } = message.finality;
  const text = textIn(message.data);
  return (
    <Section title="Fields">
      <FactList
        isWide
        facts={[
          ['Source chain', <code class="whole">{message.sourceChainSelector}</code>],
          ['Destination chain', <code class="whole">{message.destChainSelector}</code>],
          ['Message number', <code class="whole">{message.messageNumber}</code>],
          ['Finality', `${kind === 'depth' ? `${depth} blocks` : kind} (${value})`],
          ['Gas for its execution', countText(message.executionGasLimit)],
          ['Gas for its receiver', countText(message.ccipReceiveGasLimit)],
          ['Hash of CCVs and executor', <Hex value={message.ccvAndExecutorHash} label="hash" />],
          ['First indexed', <Time at={message.firstIngestedAt} />],
          ['Last changed', <Time at={message.ingestedAt} />],
          ['Position', <code class="whole">{message.position}</code>],
        ]}
      />
      <Bytes name="Data" value={message.data} />
      {text !== null && (
        <div class="bytes">
          <h3>Data as text</h3>
          <pre>{text}</pre>
        </div>
      )}
      <Bytes name="Blob for the destination" value={message.destBlob} />
      <Bytes name="Encoded message" value={message.encodedMessage} />
    </Section>
  );
}

/** More is not shown: it can be copied. */
const MAX_SHOWN = 2_048;

function Bytes({ name, value }: { readonly name: string; readonly value: string }) {
  if (value === '0x') return null;
  const isCut = value.length > MAX_SHOWN;
  return (
    <div class="bytes">
      <h3>
        {name} <span class="aside">{countText((value.length - 2) / 2)} bytes</span>{' '}
        <CopyButton text={value} label={name.toLowerCase()} />
      </h3>
      <pre>{isCut ? `${value.slice(0, MAX_SHOWN)}…` : value}</pre>
    </div>
  );
}
