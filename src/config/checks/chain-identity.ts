import type { Hex } from '../../core/hex.js';
import { chainIdOfSelector, foreignFamilyOf } from '../../protocol/chain-selectors.js';
import type { ConfigProblem } from '../problems.js';
import type { ChainSection, Config } from '../schema/schema.js';

/** A contract of a chain that is read, with the first block to read. */
interface ConfiguredRamp {
  readonly address: Hex;
  readonly startBlock: number;
}

/** All OnRamps of a chain, each with its start block. */
export function onRampsOf({ OnRamp, OnRamps, StartBlock }: ChainSection): readonly ConfiguredRamp[] {
  return ramps(OnRamp, OnRamps, StartBlock);
}

/** All OffRamps of a chain, each with its start block. */
export function offRampsOf({ OffRamp, OffRamps, StartBlock }: ChainSection): readonly ConfiguredRamp[] {
  return ramps(OffRamp, OffRamps, StartBlock);
}

function ramps(
  first: Hex | undefined,
  others: ChainSection['OnRamps'],
  startOfChain: number,
): readonly ConfiguredRamp[] {
  return [...(first === undefined ? [] : [{ Address: first }]), ...others].map((ramp) => ({
    address: ramp.Address,
    startBlock: ('StartBlock' in ramp ? ramp.StartBlock : undefined) ?? startOfChain,
  }));
}

/** The chain id that the nodes of a chain must have; null when neither its selector nor `ChainID` tells it. */
export function chainIdOf({ ChainID, Selector }: ChainSection): number | null {
  return ChainID ?? chainIdOfSelector(Selector);
}

/** Contradictions among the chains' selectors, chain ids and ramps. */
export function chainIdentityProblems({ Chain }: Config): ConfigProblem[] {
  const chainIds = new Map<number, number>();
  return Chain.flatMap((chain, index): ConfigProblem[] => {
    const path = `Chain[${index}]`;
    const problems = [...selectorProblems(chain, path), ...rampProblems(chain, path)];
    const chainId = chainIdOf(chain);
    const before = chainId === null ? undefined : chainIds.get(chainId);
    if (chainId !== null && before === undefined) chainIds.set(chainId, index);
    if (before !== undefined && Chain[before]?.Selector !== chain.Selector)
      problems.push({
        path: chain.ChainID === undefined ? `${path}.Selector` : `${path}.ChainID`,
        message:
          `is of chain id ${chainId}, as Chain[${before}] is: one chain has one selector, so write each chain once, ` +
          'with its own ChainID',
      });
    return problems;
  });
}

/** Chains whose id nothing tells: legal, and without a safeguard. */
export function chainIdentityWarnings({ Chain }: Config): ConfigProblem[] {
  return Chain.flatMap((chain, index) =>
    chainIdOf(chain) === null
      ? [
          {
            path: `Chain[${index}].ChainID`,
            message:
              `write the chain id of its nodes: the public list does not have the selector ${chain.Selector}, so ` +
              'nothing is read until all RPC URLs have answered and agree on one',
          },
        ]
      : [],
  );
}

function selectorProblems({ Selector, ChainID }: ChainSection, path: string): ConfigProblem[] {
  const family = foreignFamilyOf(Selector);
  if (family !== null)
    return [
      { path: `${path}.Selector`, message: `is of a ${family} chain: only chains with EVM nodes can be watched` },
    ];
  const known = chainIdOfSelector(Selector);
  if (known === null || ChainID === undefined || ChainID === known) return [];
  return [
    {
      path: `${path}.ChainID`,
      message:
        `is ${ChainID}, but the selector ${Selector} is that of chain id ${known}: correct the one that is wrong, or ` +
        'leave ChainID out',
    },
  ];
}

function rampProblems(chain: ChainSection, path: string): ConfigProblem[] {
  if (onRampsOf(chain).length + offRampsOf(chain).length === 0)
    return [
      {
        path: `${path}.OnRamp`,
        message:
          'write the address of the OnRamp, or one [[Chain.OnRamps]] table for each; for executions alone, that of ' +
          'the OffRamp',
      },
    ];
  const seen = new Set<Hex>([chain.OnRamp, chain.OffRamp].filter((address) => address !== undefined));
  const repeated = ['OnRamps', 'OffRamps'] as const;
  const problems = repeated.flatMap((key) =>
    chain[key].flatMap(({ Address }, place): ConfigProblem[] => {
      const isFirst = !seen.has(Address);
      seen.add(Address);
      if (isFirst) return [];
      const message = `names ${Address} a second time: write each ${key.slice(0, -1)} once`;
      return [{ path: `${path}.${key}[${place}].Address`, message }];
    }),
  );
  if (chain.OffRamp === undefined || chain.OffRamp !== chain.OnRamp) return problems;
  return [{ path: `${path}.OffRamp`, message: 'is the address of the OnRamp: write that of the OffRamp' }, ...problems];
}
