import { type Abi, decodeFunctionResult, encodeFunctionData, numberToHex, parseAbi } from 'viem';
import type { Hex } from '../../core/hex.js';
import type { CommitteeQuestion, CommitteeReading } from '../../protocol/committee-reading.js';
import { RpcRefusedError } from '../rpc/rpc-errors.js';
import type { RpcNode } from '../rpc/rpc-node.js';

/** Functions of the contracts of CCIP 2.0: `VersionedVerifierResolver`, and `CommitteeVerifier` behind it. */
const CONTRACTS = parseAbi([
  'function getInboundImplementation(bytes verifierResults) view returns (address)',
  'function typeAndVersion() view returns (string)',
  'function versionTag() view returns (bytes4)',
  'function getSignatureConfig(uint64 sourceChainSelector) view returns (address[] signers, uint8 threshold)',
]);

/** Contracts whose check is the one of `signatures.ts`; another may have other rules. */
const COMMITTEE_VERIFIER = /^CommitteeVerifier 2\./;
const ADDRESS_CHARS = 2 + 40;
const NO_ADDRESS = /^0x0*$/;
/** Much more than the largest committee takes: a contract that never ends must not hold the node. */
const GAS = numberToHex(5_000_000);
/** The precompile that answers with its input. */
const IDENTITY: Hex = '0x0000000000000000000000000000000000000004';

/** Blocks below the head of a node whose URL stands for several: another of them may be behind. */
const BEHIND = [0n, 2n, 16n];

/**
 * Reads the committee that checks a proof on one node, all of it as of one block, as the OffRamp comes to it: the
 * resolver of the CCV gives the verifier of the tag, and that has signers for each source chain.
 * @throws RpcError
 */
export async function readCommittee(node: RpcNode, question: CommitteeQuestion): Promise<CommitteeReading> {
  const head = await readHead(node);
  let last: RpcRefusedError | undefined;
  for (const behind of BEHIND) {
    try {
      return await readAt(node, question, head > behind ? head - behind : 0n);
    } catch (thrown) {
      if (!(thrown instanceof RpcRefusedError)) throw thrown;
      last = thrown;
    }
  }
  throw last ?? node.missing(Number(head));
}

async function readAt(node: RpcNode, question: CommitteeQuestion, block: bigint): Promise<CommitteeReading> {
  const { resolver, tag, sourceChainSelector } = question;
  const refused = (reason: string): CommitteeReading => ({ kind: 'refused', block, reason });
  if (resolver.length !== ADDRESS_CHARS) return refused(`${resolver} is no address of an EVM chain`);
  const view: View = (address, name, ...args) => callView(node, address, block, name, args);
  const verifier = await view<Hex>(resolver, 'getInboundImplementation', tag);
  if (verifier === null) return refused(`${resolver} is no resolver`);
  if (NO_ADDRESS.test(verifier)) return refused(`resolver ${resolver} has no verifier for tag ${tag}`);
  const [type, versionTag, config] = await Promise.all([
    view<string>(verifier, 'typeAndVersion'),
    view<Hex>(verifier, 'versionTag'),
    view<readonly [readonly Hex[], number]>(verifier, 'getSignatureConfig', sourceChainSelector),
  ]);
  if (type === null || !COMMITTEE_VERIFIER.test(type) || versionTag === null || config === null)
    return { kind: 'foreign', block, reason: `verifier ${verifier} is ${type ?? 'of no known type'}` };
  if (versionTag !== tag) return refused(`verifier ${verifier} takes tag ${versionTag}, not ${tag}`);
  const [signers, threshold] = config;
  if (threshold === 0) return refused(`verifier ${verifier} has no signers for source chain ${sourceChainSelector}`);
  return { kind: 'committee', block, committee: { tag, signers: signers.map(lowerCase), threshold } };
}

/** The number of a node's latest block. @throws RpcError */
export async function readHead(node: RpcNode): Promise<bigint> {
  return BigInt((await node.call({ method: 'eth_blockNumber', params: [] })) as Hex);
}

type View = <T>(address: Hex, name: (typeof CONTRACTS)[number]['name'], ...args: unknown[]) => Promise<T | null>;

/**
 * The result of a view function; null where the contract reverts or answers something else. No viem client: a contract
 * can make one fetch URLs (EIP-3668), and these contracts are named by services that are not trusted.
 */
async function callView<T>(node: RpcNode, to: Hex, block: bigint, functionName: string, args: readonly unknown[]) {
  const abi: Abi = CONTRACTS;
  const data = await callOrRevert(node, to, encodeFunctionData({ abi, functionName, args }), block);
  if (data === null) return null;
  try {
    return decodeFunctionResult({ abi, functionName, data }) as T;
  } catch {
    // bytes of another contract
    return null;
  }
}

/**
 * Null for a revert. Some nodes say it with the code of any failure: it is the contract's when the node answers another
 * call as of that block.
 */
async function callOrRevert(node: RpcNode, to: Hex, data: Hex, block: bigint): Promise<Hex | null> {
  const call = (to: Hex, data: Hex) =>
    node.call({ method: 'eth_call', params: [{ to, data, gas: GAS }, numberToHex(block)] });
  try {
    return (await call(to, data)) as Hex;
  } catch (thrown) {
    if (!(thrown instanceof RpcRefusedError)) throw thrown;
    if (!thrown.isRevert) await call(IDENTITY, '0x01');
    return null;
  }
}

function lowerCase(address: Hex): Hex {
  return address.toLowerCase() as Hex;
}
