import type { z } from 'zod';
import type { QueryParameter } from '../list-parameters.js';

/** A route of the query API, for the server and for the OpenAPI document. */
export interface RouteDefinition<Id extends string = string> {
  readonly id: Id;
  /** Path in Fastify's notation. */
  readonly path: string;
  readonly summary: string;
  readonly pathParameters: readonly {
    readonly name: string;
    readonly description: string;
    readonly schema: z.ZodType;
  }[];
  readonly queryParameters: readonly QueryParameter<unknown>[];
  /** Body of a 200; null: none. */
  readonly answer: z.ZodType | null;
  /** Statuses with the error body, beside those of requests that are refused before their route. */
  readonly errors: readonly number[];
  /** Never rate limited. */
  readonly exempt: boolean;
  /** Whether answers that are known whole have an entity tag. */
  readonly isTagged?: boolean;
}

/** A version of the query API as its OpenAPI document tells it. */
export interface DescribedVersion {
  readonly routes: readonly RouteDefinition[];
  /** Schemas by the name they have under `#/components/schemas`; no two versions share one. */
  readonly schemas: Readonly<Record<string, z.ZodType>>;
  /** The body of every answer that is not a 200. */
  readonly error: { readonly mediaType: string; readonly schema: z.ZodType };
}

/** Whether some of the routes answers for a path, whatever the method. */
export function createPathTest(routes: readonly Pick<RouteDefinition, 'path'>[]): (path: string) => boolean {
  const patterns = routes.map(({ path }) => new RegExp(`^${path.replace(/:[A-Za-z]+/, '[^/]*')}$`));
  return (path) => patterns.some((pattern) => pattern.test(path));
}
