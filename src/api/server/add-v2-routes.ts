import type { FastifyInstance } from 'fastify';
import type { Lanes } from '../../lanes/lanes.js';
import { addRoute, type RouteParts } from '../routes/add-route.js';
import type { FeedStorage } from '../v2/feed/feed-reads.js';
import type { Feeds } from '../v2/feed/feed-route.js';
import { createHandlers, type V2Storage } from '../v2/handlers.js';
import { LANE_ROUTES } from '../v2/lanes/lane-definitions.js';
import { createLaneHandlers } from '../v2/lanes/lane-handlers.js';
import { ROUTES } from '../v2/route-definitions.js';
import type { VerifierDirectory } from '../v2/verifiers.js';

/** The storage of the second version, its feed too. */
export type V2ServerStorage = V2Storage & FeedStorage;

/** Adds every route of the second version below a prefix, from one storage. */
export function addV2Routes(
  scope: FastifyInstance,
  prefix: string,
  options: {
    readonly storage: V2ServerStorage;
    readonly lanes: Lanes;
    readonly verifiers: VerifierDirectory;
    readonly partBytes: number;
    readonly parts: RouteParts;
    readonly feeds: Feeds;
  },
): void {
  const { storage, lanes, parts, feeds } = options;
  const { common } = parts;
  const handlers = { ...createHandlers({ ...options, common }), ...createLaneHandlers(lanes, common) };
  for (const route of [...ROUTES, ...LANE_ROUTES])
    addRoute(scope, { ...route, path: prefix + route.path }, handlers[route.id], parts);
  feeds.addRoute(scope, prefix, storage);
}
