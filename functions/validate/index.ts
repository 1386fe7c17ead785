/** POST: checks a plan, and fixes what it finds where it is asked to. See docs/functions.md. */
import { demand, served, type Work } from '../_shared/access.ts';
import { readBody } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { validateRequest } from '../_shared/requests.ts';
import { checkUntil } from '../_shared/validating.ts';

export const work: Work = async (request, database, caller) => {
  const { max_seconds, ...options } = await readBody(request, validateRequest);
  if (options.fix_issues) demand(caller, 'key');
  if (options.fix_issues && !options.dry_run)
    await call(database, 'log_request', { plan: options.plan, action: 'fix', caller: caller.name });
  const check = (max_ms: number) => call(database, 'validate_migration', { ...options, max_ms });
  return Response.json(await checkUntil(check, max_seconds, request.signal));
};

export default served('POST', 'viewer', work);
