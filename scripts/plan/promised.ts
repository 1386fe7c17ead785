/** What the engine promises to plans, and what of a plan goes beyond it. */
import type { Sql } from 'postgres';
import { error, type Finding } from './finding.ts';

/** How the comment of a function or type begins that plans may use. */
export const mark = 'For plans: ';

/** The tables that a plan is registered in, in the order in which a plan is written. */
export const registrationTables = [
  'plan',
  'plan_stage',
  'plan_step',
  'plan_write',
  'plan_sync',
  'plan_check',
  'plan_cohort',
] as const;

/** What functions, views, syncs, checks and cohorts of the plan use of the engine besides. */
export async function trespasses(sql: Sql, plan: string): Promise<Finding[]> {
  const found = await sql<{ place: string; used: string }[]>`
    with texts (place, body) as (
      select format('function %s', p.oid::regprocedure), p.prosrc from pg_proc p where p.pronamespace = to_regnamespace(${plan})
      union all
      select format('view %s', c.oid::regclass), pg_get_viewdef(c.oid)
      from pg_class c where c.relnamespace = to_regnamespace(${plan}) and c.relkind in ('v', 'm')
      union all
      select format('sync %L', s.name), concat_ws(' ', s.statement, s.fill) from imago.plan_sync s where s.plan = ${plan}
      union all
      select format('check %s', k.name), k.query from imago.plan_check k where k.plan = ${plan}
      union all
      select format('cohort %s', c.name), c.condition from imago.plan_cohort c where c.plan = ${plan}
    )
    select distinct t.place, concat_ws('.', m[1], m[2]) as used
    from texts t
    -- Names in strings as well, which SQL is made of; remarks do not count.
    cross join lateral regexp_matches(regexp_replace(t.body, '--[^\n]*', '', 'g'), '\\m(imago|imago_undo)\\.(\\w+|%)', 'g') m
    where m[1] = 'imago_undo' or m[2] <> all (${[...registrationTables]}) and not exists (
      select from pg_proc p
      where p.pronamespace = 'imago'::regnamespace and p.proname = m[2] and starts_with(obj_description(p.oid, 'pg_proc'), ${mark})
      union all
      select from pg_type t
      where t.typnamespace = 'imago'::regnamespace and t.typname = m[2] and starts_with(obj_description(t.oid, 'pg_type'), ${mark}))
    order by 1, 2`;
  return found.map(({ place, used }) =>
    error(
      'contract',
      `${place} uses ${used}, which is no part of the contract`,
      'Use the functions and tables that docs/write-a-plan.md lists: everything else may change with any version.',
    ),
  );
}
