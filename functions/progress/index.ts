/** GET: how far a plan is, as JSON or for Prometheus. Changes nothing. See docs/functions.md. */
import { authorised, callerOf } from '../_shared/access.ts';
import { answering } from '../_shared/answering.ts';
import { readQuery } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { metrics } from '../_shared/metrics.ts';
import { progressRequest } from '../_shared/requests.ts';

const views = {
  progress: 'get_detailed_migration_progress',
  performance: 'get_migration_performance_stats',
  statistics: 'get_migration_statistics',
} as const;

export default {
  fetch: answering(
    'GET',
    authorised(async (request, { supabaseAdmin: database, ...context }) => {
      callerOf(context, 'viewer');
      const { plan, view, format } = readQuery(request, progressRequest);
      if (format === 'json') return Response.json(await call(database, views[view ?? 'progress'], { plan }));
      const seen = view ? [view] : (['progress', 'performance'] as const);
      const answers = await Promise.all(seen.map((one) => call(database, views[one], { plan })));
      return new Response(metrics(plan, Object.assign({}, ...answers)), {
        headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
      });
    }),
  ),
};
