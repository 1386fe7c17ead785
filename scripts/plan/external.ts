/** Stages that are done outside of the database: what check and test make of them. */
import type { Sql } from 'postgres';
import { type Finding, warning } from './finding.ts';
import { Problem } from './problem.ts';

/** Numbers of the stages of a plan that are done outside. */
export async function externalStages(sql: Sql, plan: string): Promise<number[]> {
  const rows = await sql<{ stage: number }[]>`
    select s.stage from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan} and s.external order by 1`;
  return rows.map(({ stage }) => stage);
}

/** What check does not try, since nobody calls a function of yours there. */
export function notTried(stages: readonly number[]): Finding {
  const named = stages.join(' and ');
  return warning(
    'apply',
    `stage ${named} is done outside: apply, the way back and the checks were not tried`,
    'Run the plan on the embedded Supabase, forward and back: imago migrate, imago validate, imago rollback.',
  );
}

/** Refuses a plan that the checks cannot move. */
export async function expectNoExternal(sql: Sql, plan: string): Promise<void> {
  const stages = await externalStages(sql, plan);
  if (stages.length === 0) return;
  throw new Problem(
    'external-stage',
    `Stage ${stages.join(' and ')} of the plan ${plan} is done outside of the database, and test does not call its function.`,
    'Run the plan on the embedded Supabase, forward and back: imago migrate, imago validate, imago rollback.',
  );
}
