/** GET: how far a plan is, as JSON or for Prometheus, and what else there is to look at. Changes nothing. See docs/functions.md. */
import { served, type Work } from '../_shared/access.ts';
import { readQuery } from '../_shared/body.ts';
import { call, readLog } from '../_shared/database.ts';
import { metrics } from '../_shared/metrics.ts';
import { progressRequest } from '../_shared/requests.ts';

const views = {
  progress: 'get_detailed_migration_progress',
  performance: 'get_migration_performance_stats',
  statistics: 'get_migration_statistics',
  report: 'get_migration_report',
  failures: 'get_migration_failures',
  history: 'get_run_history',
} as const;

export const work: Work = async (request, database, caller) => {
  const { plan, view, format, level } = readQuery(request, progressRequest);
  if (view === 'plans') {
    // Callers are told what they may, so that a page offers nothing that would be refused.
    return Response.json({ ...(await call(database, 'get_migration_plans', {})), role: caller.rank });
  }
  if (view === 'log') return Response.json({ plan, lines: await readLog(database, plan, level) });
  if (format === 'json') return Response.json(await call(database, views[view ?? 'progress'], { plan }));
  const seen = view ? [view] : (['progress', 'performance'] as const);
  const answers = await Promise.all(seen.map((one) => call(database, views[one], { plan })));
  return new Response(metrics(plan, Object.assign({}, ...answers)), {
    headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
  });
};

export default served('GET', 'viewer', work);
