import { createCommitteeReader } from '../chains/committees/committee-reader.js';
import type { RpcPool } from '../chains/rpc/rpc-pool.js';
import type { ChainSection, Config, DiscoverySection, VerifierSection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';
import type { EntryContext } from '../discovery/read-entries.js';
import { createJudgedReader } from '../verifiers/judged-reader.js';
import { createSignatureCheck, type SignatureMode } from '../verifiers/signature-check.js';
import type { VerifierReader } from '../verifiers/verifier-reader.js';

/** How the results of a process have their signatures judged, as configured. */
export interface Signatures {
  /** The reader of a verifier, with its results judged. */
  reader(section: VerifierSection, reader: VerifierReader): VerifierReader;
  /** The judge of an aggregator's results: by the stricter of its mode and that of the verifier they are named for. */
  judge(section: DiscoverySection): Pick<EntryContext, 'judge'>;
}

const NONE: Signatures = { reader: (_, reader) => reader, judge: () => ({}) };
/** From lenient to strict. */
const MODES: readonly SignatureMode[] = ['off', 'record', 'require'];

/** Opens the judging of signatures; no node is asked before a result comes. `rpcOf`: the nodes of a chain. */
export function openSignatures(
  { Chain, Discoveries, Verifier }: Config,
  rpcOf: (section: ChainSection) => RpcPool,
  common: Common,
  shutdown: Shutdown,
): Signatures {
  if ([...Discoveries, ...Verifier].every(({ VerifySignatures }) => VerifySignatures === 'off')) return NONE;
  const destinations = Chain.map((section) => ({
    name: section.Name,
    selector: section.Selector,
    rpc: rpcOf(section),
  }));
  const committees = createCommitteeReader({ destinations, common });
  shutdown.add('committees', () => committees.close());
  const check = createSignatureCheck({ committees, common });
  const modeOf = new Map(Verifier.map(({ Name, VerifySignatures }) => [Name, VerifySignatures]));
  return {
    reader: ({ VerifySignatures: mode }, reader) => (mode === 'off' ? reader : createJudgedReader(reader, mode, check)),
    judge: ({ VerifySignatures: mode }) => ({
      judge: (result) => check.check(result, stricter(mode, modeOf.get(result.verifierName) ?? 'off')),
    }),
  };
}

function stricter(a: SignatureMode, b: SignatureMode): SignatureMode {
  return MODES.indexOf(a) > MODES.indexOf(b) ? a : b;
}
