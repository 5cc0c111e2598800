import type { Common } from '../../../core/common.js';
import { InvalidArgumentError } from '../../../core/errors.js';
import { type LaneView, laneSeries, laneViews } from '../../../lanes/lane-views.js';
import type { Lanes } from '../../../lanes/lanes.js';
import { HttpError } from '../../http/http-error.js';
import { type QueryString, read } from '../../list-parameters.js';
import type { Handler } from '../../routes/add-route.js';
import { requireKnown } from '../message-parameters.js';
import { laneOf, spanOf } from './lane-answers.js';
import { LANE_PARAMETERS, LANE_PATTERN, type LaneRouteId } from './lane-definitions.js';

/** The handlers of the routes of lanes of one storage. */
export function createLaneHandlers(lanes: Lanes, { clock }: Common): Readonly<Record<LaneRouteId, Handler>> {
  const asksFor = async (views: readonly LaneView[]) =>
    views.some(({ onRamps }) => onRamps.some(({ gaps }) => gaps.length > 0)) ? await lanes.asks() : [];
  return {
    async lanesV2(request, hold) {
      const query = request.query as QueryString;
      requireKnown(query, Object.keys(LANE_PARAMETERS));
      const sources = new Set(read(LANE_PARAMETERS.source, query) ?? []);
      const dests = new Set(read(LANE_PARAMETERS.dest, query) ?? []);
      const board = await lanes.board();
      const views = laneViews(
        board,
        clock.nowMs(),
        ({ sourceChainSelector, destChainSelector }) =>
          (sources.size === 0 || sources.has(sourceChainSelector)) &&
          (dests.size === 0 || dests.has(destChainSelector)),
      );
      const position = String(board.position);
      const asks = await asksFor(views);
      const told = views.map((view) => laneOf(view, asks));
      const body = Buffer.from(JSON.stringify({ lanes: told, position }));
      hold(body.length);
      return { body };
    },
    async laneV2(request, hold) {
      requireKnown(request.query as QueryString, []);
      const { lane: name } = request.params as { readonly lane: string };
      if (!LANE_PATTERN.test(name))
        throw new InvalidArgumentError('a lane is the selectors of its source and destination: source-dest');
      const [source = 0n, dest = 0n] = name.split('-').map(BigInt);
      const board = await lanes.board();
      const lane = board.lane({ sourceChainSelector: source, destChainSelector: dest });
      const [view] = lane ? laneViews(board, clock.nowMs(), (each) => each === lane) : [];
      if (!lane || !view) throw new HttpError(404, `no message of lane ${source}-${dest} is known`);
      const series = laneSeries(lane, clock.nowMs()).map(spanOf);
      const position = String(board.position);
      const told = laneOf(view, await asksFor([view]));
      const body = Buffer.from(JSON.stringify({ ...told, series, position }));
      hold(body.length);
      return { body };
    },
  };
}
