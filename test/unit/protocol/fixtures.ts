import { readFileSync } from 'node:fs';
import type { Hex } from '../../../src/core/hex.js';
import type { Message } from '../../../src/protocol/message.js';

interface FixtureTokenTransfer {
  readonly version: 1;
  readonly amount: string;
  readonly sourcePoolAddress: Hex;
  readonly sourceTokenAddress: Hex;
  readonly destTokenAddress: Hex;
  readonly tokenReceiver: Hex;
  readonly extraData: Hex;
}

export interface FixtureMessage {
  readonly version: 1;
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly messageNumber: string;
  readonly executionGasLimit: number | string;
  readonly ccipReceiveGasLimit: number | string;
  readonly finality: Hex;
  readonly ccvAndExecutorHash: Hex;
  readonly onRampAddress: Hex;
  readonly offRampAddress: Hex;
  readonly sender: Hex;
  readonly receiver: Hex;
  readonly destBlob: Hex;
  readonly tokenTransfer: readonly FixtureTokenTransfer[];
  readonly data: Hex;
}

interface LaneMessage {
  readonly label: string;
  readonly event: {
    readonly messageId: Hex;
    readonly encodedMessage: Hex;
    readonly receipts: readonly { readonly issuer: Hex }[];
    readonly verifierBlobs: readonly Hex[];
  };
  readonly decodedMessage: FixtureMessage;
  readonly split: {
    readonly ccvAddresses: readonly Hex[];
    readonly executorAddress: Hex;
    readonly poolAddress: Hex | null;
    readonly networkFeeIssuer: Hex;
  };
}

interface Committee {
  readonly ccvVersion: Hex;
  readonly discoveryOnly: boolean;
  readonly signableHash: Hex;
  readonly verifierResults: Hex;
  readonly signerOrder: readonly Hex[];
}

export interface LaneFixture {
  readonly messages: readonly LaneMessage[];
  readonly executions: readonly {
    readonly label: string;
    readonly messageId: Hex;
    readonly args: { readonly verifierResults: readonly Hex[] };
  }[];
  readonly attestations: readonly {
    readonly messageId: Hex;
    readonly label: string;
    readonly committee1?: Committee;
    readonly committee2?: Committee;
  }[];
}

export type Vectors = readonly {
  readonly encodedMessage?: Hex;
  readonly messageId?: Hex;
  readonly messageIdInFile?: Hex;
  readonly receipts?: { readonly ccvs: readonly Hex[]; readonly executor: Hex };
  readonly decoded?: FixtureMessage;
  readonly ccvs?: readonly Hex[];
  readonly executor?: Hex;
  readonly ccvAndExecutorHash?: Hex;
  readonly verifierBlob?: Hex;
  readonly signableHash?: Hex;
  readonly note?: string;
}[];

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${name}.json`, import.meta.url), 'utf8'));

export const lane = read('lane') as LaneFixture;
export const vectors = read('vectors') as Vectors;

/** A recorded message, whose integers are decimal strings, as a `Message`. */
export function toMessage(recorded: FixtureMessage): Message {
  const [transfer] = recorded.tokenTransfer;
  return {
    ...recorded,
    sourceChainSelector: BigInt(recorded.sourceChainSelector),
    destChainSelector: BigInt(recorded.destChainSelector),
    messageNumber: BigInt(recorded.messageNumber),
    executionGasLimit: Number(recorded.executionGasLimit),
    ccipReceiveGasLimit: Number(recorded.ccipReceiveGasLimit),
    finality: Number(recorded.finality),
    tokenTransfer: transfer ? { ...transfer, amount: BigInt(transfer.amount) } : null,
  };
}
