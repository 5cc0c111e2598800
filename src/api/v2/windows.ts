import type { z } from 'zod';
import type { LaneView, LaneWindowView } from '../../lanes/lane-views.js';
import type * as schemas from './figure-schemas.js';

type Windows = z.infer<typeof schemas.laneWindows>;

/** The events of lanes in each window. */
export function windowsOf({ '5m': five, '1h': hour, '24h': day }: LaneView['windows']): Windows {
  return { '5m': windowOf(five), '1h': windowOf(hour), '24h': windowOf(day) };
}

/** The events of lanes in one span of time. */
export function windowOf({ sent, verified, executed, sentToVerified, sentToExecuted }: LaneWindowView) {
  return { sent, verified, executed, sentToVerified, sentToExecuted };
}
