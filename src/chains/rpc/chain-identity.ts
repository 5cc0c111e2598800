import type { Common } from '../../core/common.js';
import { ChainUnknownError } from '../chain-errors.js';
import { parseQuantity } from './quantity.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import { RpcError, RpcWrongChainError } from './rpc-errors.js';

/** An endpoint, as far as its chain is concerned. */
export type IdentifiedEndpoint = Pick<RpcEndpoint, 'origin' | 'connections' | 'requestUnguarded' | 'parsed' | 'cool'>;

/** The word of a node on its chain, and its time. */
interface Proof {
  readonly chainId: number;
  readonly atMs: number;
  /** Connections that the endpoint had made by then: a later one may lead to a node of another chain. */
  readonly connections: number;
}

/** The parts of the identity of a chain. */
export interface ChainIdentityOptions {
  readonly chainName: string;
  /** Null: all endpoints must agree before anything else is asked of one of them. */
  readonly chainId: number | null;
  readonly endpoints: readonly IdentifiedEndpoint[];
  /** After that long a node is asked for its chain anew. */
  readonly recheckMs: number;
  readonly common: Common;
}

/**
 * Which chain this is, and whether a node is of it. The id comes from the configuration, or else from all URLs
 * together: one alone may be the wrong one, and a block of another chain that became the cursor would spoil the
 * namespace for good.
 *
 * Per endpoint: *unproved* → (it said the id) → *proved* → (a connection was made since, or `recheckMs` passed) →
 * unproved. Invariant: an answer is used only when its node was proved at the start, and again after each connection
 * made meanwhile. Which of several open connections carries the question cannot be chosen: blocks that are linked by
 * hash do the rest.
 */
export class ChainIdentity {
  readonly #options: ChainIdentityOptions;
  readonly #proofs = new Map<IdentifiedEndpoint, Proof>();
  #chainId: number | null;

  constructor(options: ChainIdentityOptions) {
    this.#options = options;
    this.#chainId = options.chainId;
  }

  /** The chain's id; null until it is known. */
  get chainId(): number | null {
    return this.#chainId;
  }

  /** The chain id that the endpoint last told; null before it told any. */
  toldBy(endpoint: IdentifiedEndpoint): number | null {
    return this.#proofs.get(endpoint)?.chainId ?? null;
  }

  /** True when the endpoint last said that it is of another chain. */
  isForeign(endpoint: IdentifiedEndpoint): boolean {
    const told = this.toldBy(endpoint);
    return told !== null && this.#chainId !== null && told !== this.#chainId;
  }

  /**
   * Runs a request to the endpoint when its node is of this chain, and lets the answer through when it still is.
   * @throws RpcWrongChainError, ChainUnknownError when nothing tells which chain this is, and the errors of `request`.
   */
  async guard<T>(endpoint: IdentifiedEndpoint, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    if (this.#chainId === null) await this.#agree(signal);
    if (!this.#isProved(endpoint)) await this.check(endpoint, signal);
    const { connections } = endpoint;
    const answer = await request();
    // also when another request has proved the endpoint meanwhile: it may have done so on an older connection
    if (endpoint.connections !== connections) await this.check(endpoint, signal);
    return answer;
  }

  /** Asks the endpoint for its chain. @throws RpcWrongChainError */
  async check(endpoint: IdentifiedEndpoint, signal: AbortSignal): Promise<void> {
    const [result] = await endpoint.requestUnguarded([{ method: 'eth_chainId', params: [] }], signal);
    this.note(endpoint, result);
  }

  /** Takes the endpoint's answer to `eth_chainId`. @throws RpcWrongChainError, and the answer when it is an error. */
  note(endpoint: IdentifiedEndpoint, answer: unknown): void {
    const chainId = quantityOf(endpoint, answer);
    const atMs = this.#options.common.clock.monotonicMs();
    this.#proofs.set(endpoint, { chainId, atMs, connections: endpoint.connections });
    if (this.#chainId !== null && chainId !== this.#chainId)
      throw new RpcWrongChainError(endpoint.origin, chainId, this.#chainId);
  }

  #isProved(endpoint: IdentifiedEndpoint): boolean {
    const proof = this.#proofs.get(endpoint);
    const ageMs = this.#options.common.clock.monotonicMs() - (proof?.atMs ?? 0);
    return (
      proof?.chainId === this.#chainId && proof?.connections === endpoint.connections && ageMs < this.#options.recheckMs
    );
  }

  async #agree(signal: AbortSignal): Promise<void> {
    const { chainName, endpoints, common } = this.#options;
    const failures: RpcError[] = [];
    await Promise.all(
      endpoints.map(async (endpoint) => {
        try {
          await this.check(endpoint, signal);
        } catch (thrown) {
          if (!(thrown instanceof RpcError)) throw thrown;
          endpoint.cool(thrown);
          failures.push(thrown);
        }
      }),
    );
    if (this.#chainId !== null) return;
    const [failure] = failures;
    if (failure && failures.length === endpoints.length) throw failure;
    const told = endpoints.map((endpoint) => this.toldBy(endpoint));
    const [first] = told;
    if (first === null || first === undefined || told.some((chainId) => chainId !== first))
      throw new ChainUnknownError(chainName, told);
    common.log.info({ chain: chainName, chainId: first }, 'all RPC URLs agree on the chain id');
    this.#chainId = first;
  }
}

/** A chain id, from a result or an error in its place. */
function quantityOf(endpoint: Pick<RpcEndpoint, 'parsed'>, result: unknown): number {
  if (result instanceof RpcError) throw result;
  return endpoint.parsed(() => parseQuantity(result, 'the chain id'));
}
