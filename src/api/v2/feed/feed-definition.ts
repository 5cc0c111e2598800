import type { RouteDefinition } from '../../routes/route-definition.js';
import { feedAnswer } from '../answer-schemas.js';
import { FEED_PARAMETERS } from './feed-request.js';

/** The feed: a page as described, or events with `Accept: text/event-stream`, whose data is one of its changes. */
export const FEED_ROUTE: RouteDefinition = {
  id: 'feedV2',
  path: '/v2/feed',
  summary:
    'Changes by position: a page, or with Accept: text/event-stream server-sent events, resumed by Last-Event-ID.',
  pathParameters: [],
  queryParameters: Object.values(FEED_PARAMETERS),
  answer: feedAnswer,
  errors: [400, 409, 429, 500, 503],
  exempt: false,
};
