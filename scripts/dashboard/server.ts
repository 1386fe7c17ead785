/**
 * Serves the page and answers it: what the edge functions do, this process does with the key that it has. So nothing has to be
 * deployed, and the page asks the same of both.
 */
import { randomBytes } from 'node:crypto';
import type { Work } from '../../functions/_shared/access.ts';
import { problem, problemOf } from '../../functions/_shared/problems.ts';
import { work as migrate } from '../../functions/migrate/index.ts';
import { work as progress } from '../../functions/progress/index.ts';
import { work as rollback } from '../../functions/rollback/index.ts';
import { work as validate } from '../../functions/validate/index.ts';
import { connect } from '../client.ts';
import { serveLoopback } from '../embedded/serving.ts';
import type { FleetDesk } from './fleet.ts';
import { type Refusal, refusalOfPlace, refusalOfToken } from './guard.ts';
import { pageText } from './page-text.ts';

export interface Dashboard {
  /** With the token, behind the # where no server and no log sees it. */
  url: string;
  close(): Promise<void>;
}

interface Route {
  method: 'GET' | 'POST';
  work: Work;
}

const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/functions/v1/progress', { method: 'GET', work: progress }],
  ['/functions/v1/migrate', { method: 'POST', work: migrate }],
  ['/functions/v1/rollback', { method: 'POST', work: rollback }],
  ['/functions/v1/validate', { method: 'POST', work: validate }],
]);

/** What no answer goes without. The page has a policy of its own for scripts and styles. */
const headers = {
  'cache-control': 'no-store',
  'content-security-policy':
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Serves the page for one project, a fleet or both on the loopback interface, until it is closed. */
export async function openDashboard({
  project,
  port,
  fleet,
}: {
  project?: { url: string; secretKey: string } | undefined;
  port?: number | undefined;
  /** Where there is a control database. */
  fleet?: FleetDesk | undefined;
}): Promise<Dashboard> {
  const token = randomBytes(24).toString('base64url');
  const database = project && (connect(project.url, project.secretKey) as unknown as Parameters<Work>[1]);
  const caller = { name: 'key:dashboard', rank: 'key' } as const;
  let page: Promise<string> | undefined;

  const answer = async (request: Request, ownPort: string): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const misplaced = refusalOfPlace(request, ownPort);
    if (misplaced) return refused(misplaced);
    if (pathname === '/' && request.method === 'GET') {
      page ??= pageText(project?.url, fleet !== undefined);
      return new Response(await page, { headers: { 'content-type': 'text/html; charset=utf-8' } });
    }
    const unknown = refusalOfToken(request, token);
    if (unknown) return refused(unknown);
    if (fleet && pathname === '/fleet') return await fleet.answer(request);
    const route = routes.get(pathname);
    if (!route || !database) return problem('not_found').toResponse();
    if (route.method !== request.method) return problem('method_not_allowed').toResponse();
    return await route.work(request, database, caller).catch((error) => problemOf(error).toResponse());
  };
  const { server, url: address } = await serveLoopback(port, async (request) => {
    const response = await answer(request, new URL(address).port);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  });
  return {
    url: `${address}/#${token}`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function refused({ status, ...body }: Refusal): Response {
  return Response.json(body, { status });
}
