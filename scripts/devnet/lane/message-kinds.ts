import { concatHex, encodeAbiParameters, encodeFunctionData, numberToHex, pad, parseEther, size } from 'viem';
import { assertNever } from '../../../src/core/errors.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { Random } from '../../../src/core/random.js';
import type { OutgoingCall } from './account-sender.js';
import type { ContractLibrary } from './contracts.js';
import type { ChainDeployment } from './lane-deployment.js';

/** Kinds of message that the traffic is made of, with how often each comes: a closed set, fit for labels. */
export const KIND_WEIGHTS = {
  /** A short payload for a contract; the default CCV; waits for the finalized block. */
  data: 35,
  /** Tokens for a wallet, no payload. */
  token: 15,
  /** Tokens and a payload for a contract. */
  tokenAndData: 10,
  /** Both committees must verify. */
  twoCCVs: 15,
  /** 20 to 28 KB of payload. */
  bigData: 5,
  /** Ready one or two blocks later. */
  fastDepth: 10,
  /** Ready when its block is safe. */
  fastSafe: 10,
} as const;

/** The name of a kind. */
export type MessageKind = keyof typeof KIND_WEIGHTS;

/** All kinds, in a fixed order. */
export const MESSAGE_KINDS = Object.keys(KIND_WEIGHTS) as MessageKind[];

/** `GenericExtraArgsV3`, the fields that the devnet uses (ExtraArgsCodec of the contracts). */
interface ExtraArgs {
  readonly gasLimit: number;
  /** Four bytes: see `parseFinality`. */
  readonly finality: number;
  /** Empty: the lane's default. */
  readonly ccvs: readonly Hex[];
}

interface Draft {
  readonly receiver: Hex;
  readonly data: Hex;
  readonly amount: bigint;
  readonly extraArgs: ExtraArgs;
}

const EXTRA_ARGS_V3_TAG = '0xa69dd4aa';
const SAFE_FLAG = 0x0001_0000;
const RECEIVE_GAS = 200_000;
/** Copying and logging a byte of payload in the receiver. */
const RECEIVE_GAS_PER_BYTE = 20;
/** Everything that sending does, with two CCVs and a token. */
const SEND_GAS = 3_000_000n;
/** A byte of payload in calldata, in memory a few times, and in the log. */
const SEND_GAS_PER_BYTE = 120n;

/** A message of kind `kind` from one chain to the other, drawn from `random`, as a call of the source's router. */
export function messageCall(
  library: ContractLibrary,
  source: ChainDeployment,
  dest: ChainDeployment,
  kind: MessageKind,
  random: Random,
): OutgoingCall {
  const draft = draftMessage(source, dest, kind, random);
  const message = {
    receiver: encodeAbiParameters([{ type: 'address' }], [draft.receiver]),
    data: draft.data,
    tokenAmounts: draft.amount === 0n ? [] : [{ token: source.addresses.token, amount: draft.amount }],
    feeToken: source.addresses.feeToken,
    extraArgs: encodeExtraArgs(draft.extraArgs),
  };
  return {
    to: source.addresses.router,
    data: encodeFunctionData({
      abi: library.artifact('router').abi,
      functionName: 'ccipSend',
      args: [BigInt(dest.selector), message],
    }),
    gas: SEND_GAS + SEND_GAS_PER_BYTE * BigInt(size(draft.data)),
  };
}

function draftMessage(source: ChainDeployment, dest: ChainDeployment, kind: MessageKind, random: Random): Draft {
  const { receiverLog, receiverTwoCCVs, receiverFast } = dest.addresses;
  const plain = (data: Hex, receiver = receiverLog, finality = 0, ccvs: readonly Hex[] = []): Draft => {
    const gasLimit = RECEIVE_GAS + RECEIVE_GAS_PER_BYTE * size(data);
    return { receiver, data, amount: 0n, extraArgs: { gasLimit, finality, ccvs } };
  };
  switch (kind) {
    case 'data':
      return plain(payload(random, 1, 400));
    case 'token': {
      const extraArgs = { gasLimit: 0, finality: 0, ccvs: [] };
      return { receiver: wallet(random), data: '0x', amount: amount(random), extraArgs };
    }
    case 'tokenAndData':
      return { ...plain(payload(random, 1, 200)), amount: amount(random) };
    case 'twoCCVs':
      return plain(payload(random, 1, 200), receiverTwoCCVs, 0, Object.values(source.addresses.ccvs));
    case 'bigData':
      return plain(payload(random, 20_000, 28_000));
    case 'fastDepth':
      return plain(payload(random, 1, 200), receiverFast, integer(random, 1, 2));
    case 'fastSafe':
      return plain(payload(random, 1, 200), receiverFast, SAFE_FLAG);
    default:
      return assertNever(kind, 'message kind');
  }
}

function encodeExtraArgs({ gasLimit, finality, ccvs }: ExtraArgs): Hex {
  const noArgs = '0x0000';
  return concatHex([
    EXTRA_ARGS_V3_TAG,
    numberToHex(gasLimit, { size: 4 }),
    numberToHex(finality, { size: 4 }),
    numberToHex(ccvs.length, { size: 1 }),
    ...ccvs.flatMap((ccv): Hex[] => ['0x14', ccv, noArgs]),
    '0x00', // the default executor
    noArgs,
    '0x00', // the receiver gets the tokens
    noArgs,
  ]);
}

/** A whole number from `low` to `high`, both included. */
function integer(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** Beyond 64 bits now and then, so that nothing on the way may take an amount for a small number. */
function amount(random: Random): bigint {
  return BigInt(integer(random, 1, 10 ** 9)) * (random() < 0.5 ? 1n : parseEther('0.00001'));
}

function wallet(random: Random): Hex {
  return pad(bytes(random, 16), { size: 20 }).replace(/^0x0{8}/, '0x57a11e70') as Hex;
}

function payload(random: Random, lowBytes: number, highBytes: number): Hex {
  return bytes(random, integer(random, lowBytes, highBytes));
}

function bytes(random: Random, sizeBytes: number): Hex {
  const words = Uint32Array.from({ length: Math.ceil(sizeBytes / 4) }, () => random() * 2 ** 32);
  return bytesToHex(new Uint8Array(words.buffer, 0, sizeBytes));
}
