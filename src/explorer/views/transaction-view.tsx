import { hrefOf, type Route } from '../address/route.js';
import { Lane } from '../parts/chain.js';
import { Section } from '../parts/facts.js';
import { Hex } from '../parts/hex.js';
import { Failure, Loading } from '../parts/notice.js';
import { Badge } from '../parts/status.js';
import { Time } from '../parts/time.js';
import type { TransactionAnswer } from '../server/answers.js';
import { useAnswer } from '../server/use-answer.js';
import { MessageTable } from './messages/message-table.js';

/** The messages that a transaction sent, and those that it executed. */
export function TransactionView({ route: { subject } }: { readonly route: Route }) {
  const { value, error, reload } = useAnswer<TransactionAnswer>(`v2/transactions/${encodeURIComponent(subject)}`);
  const chain = value?.messages[0]?.sourceChainSelector ?? value?.executions[0]?.destChainSelector;
  return (
    <>
      <h1>Transaction</h1>
      <p class="lead">
        <Hex value={subject} label="transaction hash" full {...(chain && { chain, kind: 'tx' as const })} />
      </p>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && value.messages.length > 0 && (
        <Section title="Sent messages">
          <MessageTable messages={value.messages} caption="Sent messages" />
        </Section>
      )}
      {value && value.executions.length > 0 && (
        <Section title="Executed messages">
          <Executions executions={value.executions} />
        </Section>
      )}
    </>
  );
}

function Executions({ executions }: Pick<TransactionAnswer, 'executions'>) {
  return (
    <table class="rows">
      <caption class="unseen">Executed messages</caption>
      <thead>
        <tr>
          <th scope="col">Message</th>
          <th scope="col">State</th>
          <th scope="col">Lane</th>
          <th scope="col" class="number">
            Block time
          </th>
        </tr>
      </thead>
      <tbody>
        {executions.map((execution) => (
          <tr key={execution.position}>
            <td>
              <Hex value={execution.messageId} label="message id" href={hrefOf('message', execution.messageId)} />
            </td>
            <td>
              <Badge tone={execution.state === 'success' ? 'good' : 'bad'} text={execution.state} />
            </td>
            <td>
              <Lane source={execution.sourceChainSelector} dest={execution.destChainSelector} />
            </td>
            <td class="number">
              <Time at={execution.place.blockTime} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
