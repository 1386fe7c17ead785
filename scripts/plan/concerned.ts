/** Whether progress would count the entities that the plan concerns, and no others. */
import type { Sql } from 'postgres';
import { error, type Finding, reason } from './finding.ts';

/** What a stage of a prepared plan says of its entities, as SQL writes it. */
interface Stage {
  /** The view `concerned` that it may have. */
  view: string;
  /** That view, or the table that is walked. */
  rows: string;
  key: string;
  pending: string;
}

/** Before anything is moved, each entity that the plan concerns is pending, once; all others would count as migrated. */
export async function concernedFindings(sql: Sql, plan: string): Promise<Finding[]> {
  const stages = await sql<Stage[]>`
    select imago.plan_object(s, 'concerned') as view, imago.concerned_rows(s) as rows, imago.plan_object(s, 'pending') as pending,
      case when imago.concerned_rows(s) = imago.plan_object(s, 'concerned') then 'entity' else imago.key_of(s, 'c') end as key
    from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan}`;
  const findings: Finding[] = [];
  for (const stage of stages) {
    const found = await count(sql, stage).catch((raised) => [
      error('progress', `${stage.rows} cannot be counted (${reason(raised)})`, 'Fix its query.'),
    ]);
    findings.push(...found);
  }
  return findings;
}

async function count(sql: Sql, { view, rows, key, pending }: Stage): Promise<Finding[]> {
  const [counts] = await sql.unsafe<{ all: number; idle: number; unlisted: number; repeated: number }[]>(`
    with concerned as (select (${key})::text as entity from ${rows} c), pending as (select entity::text from ${pending})
    select (select count(*)::int from concerned) as all,
      (select count(*)::int from concerned where entity not in (select entity from pending)) as idle,
      (select count(*)::int from pending where entity not in (select entity from concerned)) as unlisted,
      (select (count(*) - count(distinct entity))::int from concerned) as repeated`);
  const findings: Finding[] = [];
  if (counts && counts.idle > 0) {
    findings.push(
      error(
        'progress',
        `${counts.idle} of ${counts.all} rows of ${rows} are not pending before anything is moved: they would count as migrated`,
        `List the entities that the plan concerns in a view ${view}, with one column entity.`,
      ),
    );
  }
  if (counts && counts.unlisted > 0) {
    findings.push(
      error(
        'progress',
        `${counts.unlisted} entities are pending that ${rows} does not list`,
        'Every pending entity is concerned, too.',
      ),
    );
  }
  if (counts && counts.repeated > 0) {
    findings.push(
      error('progress', `${rows} lists ${counts.repeated} entities more than once`, 'List each once: union.'),
    );
  }
  return findings;
}
