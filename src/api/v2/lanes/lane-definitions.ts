import { z } from 'zod';
import type { RouteDefinition } from '../../routes/route-definition.js';
import { laneAnswer, lanesAnswer } from '../figure-schemas.js';
import { MESSAGE_PARAMETERS } from '../message-parameters.js';

export type LaneRouteId = 'lanesV2' | 'laneV2';

/** `source-dest`, both selectors. */
export const LANE_PATTERN = /^\d{1,20}-\d{1,20}$/;

/** The parameters of the list of lanes. */
export const LANE_PARAMETERS = { source: MESSAGE_PARAMETERS.source, dest: MESSAGE_PARAMETERS.dest } as const;

/** The routes of lanes, in the order of the document. */
export const LANE_ROUTES: readonly RouteDefinition<LaneRouteId>[] = [
  {
    id: 'lanesV2',
    path: '/v2/lanes',
    summary: 'Lanes: highest and contiguous message number, gaps, messages that wait, and times to the next step.',
    pathParameters: [],
    queryParameters: Object.values(LANE_PARAMETERS),
    answer: lanesAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'laneV2',
    path: '/v2/lanes/:lane',
    summary: 'One lane, with its last day by five minutes.',
    pathParameters: [
      {
        name: 'lane',
        description: 'Source and destination selector, as source-dest.',
        schema: z.string().regex(LANE_PATTERN),
      },
    ],
    queryParameters: [],
    answer: laneAnswer,
    errors: [400, 404, 429, 500, 503],
    exempt: false,
  },
];
