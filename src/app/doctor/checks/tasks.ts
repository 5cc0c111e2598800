import type { VerifierSection } from '../../../config/schema/schema.js';
import type { Hex } from '../../../core/hex.js';
import type { OrderKey } from '../../../model/order.js';
import type { StoredMessage } from '../../../model/records.js';
import { CCVDataNotFoundError } from '../../../model/storage-errors.js';
import { canonicalAddress } from '../../../verifiers/address.js';
import { defineCheck } from '../check.js';
import { type LoneBackend, recordSection, withBackend } from '../record.js';

const PAGE_MESSAGES = 200;
/** The oldest unfinished messages that are looked at without `--full`. */
const MOST_MESSAGES = 1_000;
const SAMPLE = 5;

/** A group of messages that wait for the same. */
class Waiting {
  readonly sample: Hex[] = [];
  messages = 0;
  oldestMs = Number.POSITIVE_INFINITY;

  add({ messageId, ingestionMs }: StoredMessage): void {
    this.messages += 1;
    this.oldestMs = Math.min(this.oldestMs, ingestionMs);
    if (this.sample.length < SAMPLE) this.sample.push(messageId);
  }

  evidence(nowMs: number) {
    const { messages, sample, oldestMs } = this;
    return { messages, oldestMs, oldestAgeMs: nowMs - oldestMs, sample };
  }
}

/** Messages that wait for verifications in vain. */
export const taskCheck = defineCheck({
  name: 'tasks',
  about: 'messages that wait for verifications in vain (the oldest unfinished ones; all of them with `--full`)',
  kinds: {
    'ccv-unknown': {
      severity: 'error',
      meaning:
        'Messages name this CCV, no [[Verifier]] answers for it, and they have no other: they are never verified.',
      next: 'add the address to IssuerAddresses of the [[Verifier]] that answers for it, and restart the workers',
    },
    'messages-stuck': {
      severity: 'error',
      meaning: 'Messages are older than VerificationVisibilityWindow and lack verifications of this verifier.',
      next:
        '`ccv-indexer inspect {example}` asks the verifier; ' +
        '`ccv-indexer replay messages --ids {example}` reads it again',
    },
  },
  async run({ config, common, isFull, each, found, signal }) {
    const record = recordSection(config);
    if (!record) return;
    const verifiers = verifiersByCCV(config.Verifier);
    const nowMs = common.clock.nowMs();
    const overdueMs = nowMs - config.Scheduler.VerificationVisibilityWindow;
    const unknown = new Map<Hex, Waiting>();
    const stuck = new Map<string, Waiting>();
    const note = <K>(groups: Map<K, Waiting>, key: K, message: StoredMessage) => {
      const group = groups.get(key) ?? new Waiting();
      groups.set(key, group);
      group.add(message);
    };
    await each(
      [record],
      ({ Name }) => Name,
      async (section) => {
        await withBackend(section, { config, common }, async (backend) => {
          for await (const message of unfinished(backend, isFull ? Number.POSITIVE_INFINITY : MOST_MESSAGES, signal)) {
            const ccvs = message.messageCCVAddresses.map(canonicalAddress);
            if (!ccvs.some((ccv) => verifiers.has(ccv))) for (const ccv of new Set(ccvs)) note(unknown, ccv, message);
            else if (message.ingestionMs < overdueMs)
              for (const name of await missingOf(backend, message, ccvs, verifiers)) note(stuck, name, message);
          }
        });
        for (const [ccv, waiting] of unknown) found('ccv-unknown', ccv, waiting.evidence(nowMs));
        for (const [name, waiting] of stuck)
          found('messages-stuck', name, { ...waiting.evidence(nowMs), example: waiting.sample[0] ?? '' });
      },
    );
  },
});

function verifiersByCCV(sections: readonly VerifierSection[]): ReadonlyMap<Hex, readonly string[]> {
  const names = new Map<Hex, string[]>();
  for (const { Name, IssuerAddresses } of sections)
    for (const address of new Set(IssuerAddresses.map(canonicalAddress)))
      names.set(address, [...(names.get(address) ?? []), Name]);
  return names;
}

async function* unfinished(backend: LoneBackend, most: number, signal: AbortSignal): AsyncGenerator<StoredMessage> {
  let after: OrderKey | null = null;
  let seen = 0;
  do {
    const page: Awaited<ReturnType<LoneBackend['queryUnfinishedMessages']>> = await backend.queryUnfinishedMessages({
      limit: Math.min(PAGE_MESSAGES, most - seen),
      after,
    });
    yield* page.items;
    seen += page.items.length;
    after = page.next;
  } while (after !== null && seen < most && !signal.aborted);
}

/** The verifiers that answer for CCVs of a message without a stored result. */
async function missingOf(
  backend: LoneBackend,
  { messageId }: StoredMessage,
  ccvs: readonly Hex[],
  verifiers: ReadonlyMap<Hex, readonly string[]>,
): Promise<ReadonlySet<string>> {
  const results = await backend.getCCVData(messageId).catch((thrown: unknown) => {
    if (thrown instanceof CCVDataNotFoundError) return [];
    throw thrown;
  });
  const there = new Set(results.map(({ verifierSourceAddress }) => canonicalAddress(verifierSourceAddress)));
  return new Set(ccvs.filter((ccv) => !there.has(ccv)).flatMap((ccv) => verifiers.get(ccv) ?? []));
}
