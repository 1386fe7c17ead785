/** Whether code of the app that a plan's writes fire finds its names. */
import type { Sql } from 'postgres';
import { type Finding, warning } from './finding.ts';

/** What the engine calls to write: apply, fixes and steps that walk, where they keep an empty search_path. */
export async function pathFindings(sql: Sql, plan: string): Promise<Finding[]> {
  const pinned = await sql<{ name: string; language: string }[]>`
    select p.oid::regprocedure::text as name, l.lanname as language
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = to_regnamespace(${plan}) and 'search_path=""' = any (p.proconfig)
      and (p.proname ~ '^apply(_[0-9]+)?$'
        or p.proname in (select c.fix from imago.plan_check c where c.plan = ${plan})
        or p.proname in (select s.routine from imago.plan_step s where s.plan = ${plan} and s.source is not null))
      and strpos(p.prosrc, 'app_search_path') = 0
      -- What it writes in the plan's own schema has no triggers of the app.
      and exists (
        select from regexp_matches(p.prosrc, '\\m(?:insert\\s+into|update|delete\\s+from|merge\\s+into)\\s+(?:only\\s+)?"?([a-z_0-9]+)"?\\s*\\.', 'gi') w
        where lower(w[1]) not in (${plan}, 'imago'))
    order by 1`;
  return pinned.map(({ name, language }) =>
    warning(
      'apply',
      `function ${name} writes tables of the app under an empty search_path`,
      `Triggers of the app may name tables without their schema. Begin it with: ${
        language === 'sql' ? 'select' : 'perform'
      } set_config('search_path', imago.app_search_path(), true);`,
    ),
  );
}
