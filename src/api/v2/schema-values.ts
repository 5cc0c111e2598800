import { z } from 'zod';

/* Values of the answers' schemas. */

export const bytes = z
  .string()
  .regex(/^0x(?:[0-9a-f]{2})*$/)
  .describe('Bytes as 0x and lower-case hex; 0x when empty.');
export const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
export const time = z.iso.datetime({ offset: true }).describe('RFC 3339, UTC, milliseconds.');
export const decimal = z
  .string()
  .regex(/^\d{1,78}$/)
  .describe('A whole number in decimal digits.');
export const uint32 = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32 - 1);

export const count = z.number().int().min(0);
export const milliseconds = z.number().int().min(0).nullable();
