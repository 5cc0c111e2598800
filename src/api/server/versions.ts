import type { DescribedVersion } from '../routes/route-definition.js';
import { errorAnswerSchema, NAMED_SCHEMAS } from '../v1/answer-schemas.js';
import { ROUTES } from '../v1/route-definitions.js';
import * as v2Schemas from '../v2/answer-schemas.js';
import { FEED_ROUTE } from '../v2/feed/feed-definition.js';
import { LANE_ROUTES } from '../v2/lanes/lane-definitions.js';
import { ROUTES as V2_ROUTES } from '../v2/route-definitions.js';

/** The versions of the query API, as the OpenAPI document tells them. */
export const VERSIONS: readonly DescribedVersion[] = [
  { routes: ROUTES, schemas: NAMED_SCHEMAS, error: { mediaType: 'application/json', schema: errorAnswerSchema } },
  {
    routes: [...V2_ROUTES, ...LANE_ROUTES, FEED_ROUTE],
    schemas: v2Schemas.NAMED_SCHEMAS,
    error: { mediaType: 'application/problem+json', schema: v2Schemas.problemSchema },
  },
];
