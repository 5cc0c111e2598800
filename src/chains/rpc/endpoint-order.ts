import type { Clock } from '../../core/clock.js';
import type { ChainIdentity } from './chain-identity.js';
import type { RpcEndpoint } from './rpc-endpoint.js';
import type { RpcErrorKind } from './rpc-errors.js';

/** How an endpoint stands among those of its chain. */
type EndpointState = 'ready' | 'cooling' | 'lagging' | 'wrongChain';

/** One URL in `status`, by its index. */
export interface RpcUrlStatus {
  readonly url: number;
  readonly state: EndpointState;
  readonly head: number | null;
  /** As the node last told; null before it did. */
  readonly chainId: number | null;
  /** Why it was last passed over. */
  readonly lastError: string | null;
  /** How often since it last succeeded. */
  readonly failuresInARow: number;
}

/** The order in which the endpoints of a chain are asked. */
export interface EndpointOrder {
  /** Ready ones first, then lagging ones, cooling ones (the first to be done first), those of another chain. */
  ranked(): readonly RpcEndpoint[];
  /** The endpoint is cooling because it gave no answer. One that is cooling because of its answer can be asked. */
  isAway(endpoint: RpcEndpoint): boolean;
  status(): readonly RpcUrlStatus[];
}

const RANK = { ready: 0, lagging: 1, cooling: 2, wrongChain: 3 } as const satisfies Record<EndpointState, number>;
const AWAY_KINDS: ReadonlySet<RpcErrorKind> = new Set(['timeout', 'rateLimited', 'unavailable']);

/** `maxLagBlocks`: an endpoint whose head is further behind is lagging. */
export function createEndpointOrder(options: {
  readonly endpoints: readonly RpcEndpoint[];
  readonly identity: ChainIdentity;
  readonly maxLagBlocks: number;
  readonly clock: Clock;
}): EndpointOrder {
  const { endpoints, identity, maxLagBlocks, clock } = options;
  const isCooling = ({ coolUntilMs }: RpcEndpoint) => coolUntilMs > clock.monotonicMs();

  /**
   * The head that the nodes are measured by. Of three or more the second highest, so that none can make all others lag
   * on its own. A cooling node counts for nothing: its head may be old, or wrong.
   */
  function bestHead(): number {
    const heads = endpoints
      .filter((endpoint) => !identity.isForeign(endpoint) && !isCooling(endpoint))
      .flatMap(({ head }) => head ?? [])
      .sort((a, b) => b - a);
    return heads[heads.length > 2 ? 1 : 0] ?? 0;
  }

  function stateOf(endpoint: RpcEndpoint): EndpointState {
    if (identity.isForeign(endpoint)) return 'wrongChain';
    if (isCooling(endpoint)) return 'cooling';
    const lagBlocks = endpoint.head === null ? 0 : bestHead() - endpoint.head;
    return lagBlocks > maxLagBlocks ? 'lagging' : 'ready';
  }

  return {
    ranked() {
      const ranks = new Map(endpoints.map((endpoint) => [endpoint, RANK[stateOf(endpoint)]]));
      const rankOf = (endpoint: RpcEndpoint) => ranks.get(endpoint) ?? RANK.ready;
      for (const [endpoint, rank] of ranks) endpoint.noteHealth(rank === RANK.ready);
      return [...endpoints].sort(
        (a, b) =>
          rankOf(a) - rankOf(b) ||
          (rankOf(a) === RANK.cooling ? a.coolUntilMs - b.coolUntilMs : 0) ||
          a.index - b.index,
      );
    },
    isAway: (endpoint) => isCooling(endpoint) && endpoint.lastError !== null && AWAY_KINDS.has(endpoint.lastError.kind),
    status: () =>
      endpoints.map((endpoint) => ({
        url: endpoint.index,
        state: stateOf(endpoint),
        head: endpoint.head,
        chainId: identity.toldBy(endpoint),
        lastError: endpoint.lastError?.message ?? null,
        failuresInARow: endpoint.failuresInARow,
      })),
  };
}
