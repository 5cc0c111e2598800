import { BaseError, decodeFunctionData, parseAbi, toFunctionSelector } from 'viem';
import { IndexerError } from '../core/errors.js';
import { bytesToHex, type Hex, hexToBytes } from '../core/hex.js';

const EXECUTE =
  'function execute(bytes encodedMessage, address[] ccvs, bytes[] verifierResults, uint32 gasLimitOverride)';
const ABI = parseAbi([EXECUTE]);

/** The first four bytes of a call of `execute` of an OffRamp. */
export const EXECUTE_SELECTOR: Hex = toFunctionSelector(EXECUTE);

/** A call of `execute` of an OffRamp (`README.md`). */
export interface ExecuteCall {
  readonly encodedMessage: Uint8Array;
  /** Addresses of CCVs on the destination chain, with the proof for each. Lower-case hex. */
  readonly proofs: readonly { readonly ccv: Hex; readonly ccvData: Uint8Array }[];
}

/** Calldata that is not a call of `execute`. */
export class ExecuteCallError extends IndexerError {
  constructor(found: string, cause?: unknown) {
    super('EXECUTE_CALL', `expected a call of execute, found ${found}`, false, { cause });
  }
}

/**
 * Decodes the calldata of `execute`. Everybody may call it, with any proofs: that the call was made says nothing of
 * them.
 * @throws ExecuteCallError
 */
export function decodeExecuteCall(calldata: Uint8Array): ExecuteCall {
  try {
    const { args } = decodeFunctionData({ abi: ABI, data: bytesToHex(calldata) });
    const [encodedMessage, ccvs, results] = args;
    if (ccvs.length !== results.length)
      throw new ExecuteCallError(`${ccvs.length} CCVs and ${results.length} verifier results`);
    return {
      encodedMessage: hexToBytes(encodedMessage),
      proofs: ccvs.map((ccv, index) => ({
        ccv: ccv.toLowerCase() as Hex,
        ccvData: hexToBytes(results[index] ?? '0x'),
      })),
    };
  } catch (thrown) {
    if (thrown instanceof BaseError) throw new ExecuteCallError('bytes that do not decode', thrown);
    throw thrown;
  }
}
