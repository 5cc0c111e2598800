import type { Common } from '../core/common.js';
import type { Hex } from '../core/hex.js';
import { counter, gauge } from '../core/metrics.js';
import { canonicalAddress } from '../verifiers/address.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { PendingMessage } from './verification-task.js';

/** A CCV that messages name and no reader speaks for. */
export interface UnknownCCV {
  readonly address: Hex;
  /** Messages seen that name it, since the start; a message that is loaded again counts again. */
  readonly messages: number;
}

/** The messages that cannot be verified for want of readers. */
export interface UnknownCCVReport {
  readonly addresses: readonly UnknownCCV[];
  /** Messages none of whose CCVs has a reader; at most 10 000 are counted. */
  readonly unverifiableMessages: number;
  /** The first of them, for people. */
  readonly unverifiableSample: readonly Hex[];
}

/** The sender of a message chooses its CCVs, so the memory of unknown ones is bounded. */
const MAX_ADDRESSES = 1_000;
const MAX_MESSAGES = 10_000;
const SAMPLE = 20;

/** Keeps account of CCVs without a reader: they are reported, not hidden. */
export class UnknownCCVs {
  readonly #registry: VerifierRegistry;
  readonly #log: Common['log'];
  readonly #addresses = new Map<Hex, number>();
  readonly #unverifiable = new Set<Hex>();
  readonly #metrics;

  constructor({ registry, common }: { readonly registry: VerifierRegistry; readonly common: Common }) {
    this.#registry = registry;
    this.#log = common.log;
    this.#metrics = {
      addresses: gauge(common.metrics, {
        name: 'indexer_unknown_ccv_addresses',
        help: 'CCVs that messages name and no verifier is configured for (counted up to 1 000)',
      }),
      mentions: counter(common.metrics, {
        name: 'indexer_unknown_ccv_mentions_total',
        help: 'Times a message named a CCV that no verifier is configured for',
      }),
      unverifiable: gauge(common.metrics, {
        name: 'indexer_unverifiable_messages',
        help: 'Messages none of whose CCVs has a verifier configured (counted up to 10 000)',
      }),
    };
  }

  /** Notes the unknown CCVs of a message. */
  note(message: Pick<PendingMessage, 'messageId' | 'ccvAddresses'>): void {
    const unknown = message.ccvAddresses.filter((address) => this.#registry.readersFor(address).length === 0);
    for (const address of unknown) this.#noteAddress(canonicalAddress(address));
    if (unknown.length < message.ccvAddresses.length || this.#unverifiable.size >= MAX_MESSAGES) return;
    this.#unverifiable.add(message.messageId);
    this.#metrics.unverifiable.set(this.#unverifiable.size);
  }

  /** A message left: it was orphaned. */
  forget(messageId: Hex): void {
    if (this.#unverifiable.delete(messageId)) this.#metrics.unverifiable.set(this.#unverifiable.size);
  }

  /** Forgets all messages but these. */
  keep(isKept: (messageId: Hex) => boolean): void {
    for (const messageId of this.#unverifiable) if (!isKept(messageId)) this.forget(messageId);
  }

  report(): UnknownCCVReport {
    return {
      addresses: [...this.#addresses].map(([address, messages]) => ({ address, messages })),
      unverifiableMessages: this.#unverifiable.size,
      unverifiableSample: [...this.#unverifiable].slice(0, SAMPLE),
    };
  }

  #noteAddress(address: Hex): void {
    this.#metrics.mentions.inc();
    const seen = this.#addresses.get(address);
    if (seen === undefined && this.#addresses.size >= MAX_ADDRESSES) return;
    this.#addresses.set(address, (seen ?? 0) + 1);
    if (seen !== undefined) return;
    this.#metrics.addresses.set(this.#addresses.size);
    this.#log.warn({ ccv: address }, 'no verifier is configured for a CCV: its verifications will be missing');
  }
}
