import { hrefOf } from '../../address/route.js';
import { Lane } from '../../parts/chain.js';
import { Hex } from '../../parts/hex.js';
import { MessageStatus } from '../../parts/status.js';
import { countText } from '../../parts/texts.js';
import { Age } from '../../parts/time.js';
import type { Message } from '../../server/answers.js';

/** Messages as rows. On a narrow screen sender, receiver and number leave the row. */
export function MessageTable({
  messages,
  caption,
  freshFromMs = Number.POSITIVE_INFINITY,
}: {
  readonly messages: readonly Message[];
  readonly caption: string;
  /** Rows indexed later are marked for a moment. */
  readonly freshFromMs?: number;
}) {
  return (
    <table class="rows messages">
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Message</th>
          <th scope="col">Status</th>
          <th scope="col">Lane</th>
          <th scope="col" class="number wide-only">
            Number
          </th>
          <th scope="col" class="wide-only">
            Sender
          </th>
          <th scope="col" class="wide-only">
            Receiver
          </th>
          <th scope="col" class="number">
            Indexed
          </th>
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <Row key={message.messageId} message={message} isFresh={Date.parse(message.firstIngestedAt) > freshFromMs} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ message, isFresh }: { readonly message: Message; readonly isFresh: boolean }) {
  const { messageId, sourceChainSelector, destChainSelector } = message;
  return (
    <tr class={isFresh ? 'fresh' : ''}>
      <td>
        <Hex value={messageId} label="message id" href={hrefOf('message', messageId)} />
      </td>
      <td>
        <MessageStatus status={message.status} orphaned={message.orphaned} />
      </td>
      <td>
        <Lane source={sourceChainSelector} dest={destChainSelector} />
      </td>
      <td class="number wide-only">{countText(message.messageNumber)}</td>
      <td class="wide-only">
        <Hex value={message.sender} label="sender" chain={sourceChainSelector} kind="address" />
      </td>
      <td class="wide-only">
        <Hex value={message.receiver} label="receiver" chain={destChainSelector} kind="address" />
      </td>
      <td class="number">
        <Age at={message.firstIngestedAt} />
      </td>
    </tr>
  );
}
