/** `ccv-indexer/client`: a typed client of the query API. */
export { ApiError } from './api-error.js';
export { type Client, type ClientOptions, createClient, type RouteParameters } from './client.js';
export type { FeedOptions, FeedReader } from './feed.js';
export type * from './routes.js';
