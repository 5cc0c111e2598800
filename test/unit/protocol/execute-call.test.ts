import { encodeFunctionData, parseAbi } from 'viem';
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes } from '../../../src/core/hex.js';
import { decodeExecuteCall, EXECUTE_SELECTOR, ExecuteCallError } from '../../../src/protocol/execute-call.js';

const ABI = parseAbi(['function execute(bytes message, address[] ccvs, bytes[] results, uint32 gasLimitOverride)']);
const CCV = '0xB7f8BC63BbcaD18155201308C8f3540b07f84F5e';
const call = encodeFunctionData({ abi: ABI, functionName: 'execute', args: ['0x0102', [CCV], ['0xe9a05a200000'], 7] });

describe('the calldata of execute', () => {
  it('is the message, and the proof of each CCV in the order of the call', () => {
    expect(EXECUTE_SELECTOR).toBe('0x3b81ab9b');
    const { encodedMessage, proofs } = decodeExecuteCall(hexToBytes(call));
    expect(bytesToHex(encodedMessage)).toBe('0x0102');
    expect(proofs).toEqual([{ ccv: CCV.toLowerCase(), ccvData: hexToBytes('0xe9a05a200000') }]);
  });

  it('is refused cut short at any byte but its padding, of another function, and with another number of proofs', () => {
    for (let length = 0; length < call.length / 2 - 1 - 26; length += 7)
      expect(() => decodeExecuteCall(hexToBytes(call).subarray(0, length)), String(length)).toThrow(ExecuteCallError);
    expect(() => decodeExecuteCall(hexToBytes(`0x11111111${call.slice(10)}`))).toThrow(ExecuteCallError);
    const uneven = encodeFunctionData({ abi: ABI, functionName: 'execute', args: ['0x01', [CCV], [], 0] });
    expect(() => decodeExecuteCall(hexToBytes(uneven))).toThrow('1 CCVs and 0 verifier results');
  });
});
