import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Common } from '../../core/common.js';
import { acceptedEncoding } from '../http/compression.js';
import { digestOf, namesTag, weakened } from '../http/entity-tag.js';
import { HttpError } from '../http/http-error.js';
import { addVary } from '../http/vary.js';
import { type PageFile, type PageFiles, readPageFiles } from './page-files.js';

/** A chain as the page names it. */
export interface PageChain {
  /** Decimal digits. */
  readonly selector: string;
  readonly name: string;
  /** Base URL of a block explorer with the paths of EIP-3091 (`/tx/…`, `/address/…`, `/block/…`); null: none. */
  readonly explorerUrl: string | null;
}

/** Facts that the page is told beside the API's answers, as `page.json`. */
export interface PageFacts {
  readonly version: string;
  readonly namespace: string;
  readonly chains: readonly PageChain[];
  /** Other namespaces of the process, each with a page below `/ns/{name}/`. */
  readonly namespaces: readonly string[];
}

/** Paths of the page below its prefix, in Fastify's notation. */
export const PAGE_PATHS = ['/', '/page.json', '/assets/:file'] as const;

/**
 * Nothing from anywhere else, and no script but the page's own files: text of a chain that reached the document as
 * markup would do nothing.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Names of built files have their digests in them. */
const FOR_GOOD = 'public, max-age=31536000, immutable';

/** The page of a server. */
export interface ExplorerPage {
  /** Adds it at the root, or below the path of a namespace. */
  addRoutes(scope: FastifyInstance, prefix: string): void;
}

/**
 * The page that the build left, from memory.
 * @param isAdmin whether the page shows operators' parts, which it asks of the same server.
 */
export function createPage(common: Common, facts: PageFacts, isAdmin: boolean): ExplorerPage {
  const files = readPageFiles();
  if (files === null) common.log.warn('the page is not built: npm run build');
  return {
    addRoutes(scope, prefix) {
      const namespace = prefix === '' ? facts.namespace : prefix.slice(prefix.lastIndexOf('/') + 1);
      const told = JSON.stringify({ ...facts, namespace, isAdmin });
      const factsFile: PageFile = {
        type: 'application/json',
        tag: `"${digestOf(told)}"`,
        bytes: Buffer.from(told),
        encoded: new Map(),
      };
      const built = (): PageFiles => {
        if (files === null) throw new HttpError(404, 'the page is not built: npm run build');
        return files;
      };
      scope.get(`${prefix}/`, async (request, reply) => {
        const [path = ''] = (request.raw.url ?? '').split('?', 1);
        // places of the page's files are relative to it
        if (!path.endsWith('/')) return reply.redirect(`${path.slice(path.lastIndexOf('/') + 1)}/`, 308);
        return sendFile(request, reply, built().document, 'no-cache');
      });
      scope.get(`${prefix}/page.json`, async (request, reply) => sendFile(request, reply, factsFile, 'no-cache'));
      scope.get(`${prefix}/assets/:file`, async (request, reply) => {
        const file = built().assets.get((request.params as { readonly file: string }).file);
        if (file === undefined) throw new HttpError(404, 'not found');
        return sendFile(request, reply, file, FOR_GOOD);
      });
    },
  };
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile, caching: string): FastifyReply {
  const encoding = acceptedEncoding(request.headers['accept-encoding']);
  const encoded = encoding === null ? undefined : file.encoded.get(encoding);
  reply.headers({ ...HEADERS, 'cache-control': caching });
  if (file.encoded.size > 0) addVary(reply, 'Accept-Encoding');
  reply.header('etag', encoded ? weakened(file.tag) : file.tag);
  if (namesTag(request.headers['if-none-match'], file.tag)) return reply.code(304).send();
  if (encoded) reply.header('content-encoding', encoding);
  return reply.header('content-type', file.type).send(encoded ?? file.bytes);
}
