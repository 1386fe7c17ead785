/** Whether the tables that a plan's prepare makes are more visible than those that their rows come from. */
import type { Sql } from 'postgres';
import { type Finding, warning } from './finding.ts';
import { tableFiles } from './tables.ts';

/** Before preparing: opens the sources to people, so that there is something to take over. */
export async function openSources(sql: Sql, plan: string): Promise<void> {
  const sources = await sql<{ name: string }[]>`
    select distinct s.source as name from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan}`;
  for (const { name } of sources) await sql.unsafe(`grant select on ${name} to anon, authenticated`);
}

/** Of the tables that were not there before: row level security is on, and what shows their rows asks a source. */
export async function visibilityFindings(
  sql: Sql,
  plan: string,
  before: ReadonlyMap<string, string>,
): Promise<Finding[]> {
  const made = [...(await tableFiles(sql)).keys()].filter((name) => !before.has(name));
  const open = await sql<{ name: string; secured: boolean; policies: string[]; source: string }[]>`
    with sources as (
      select to_regclass(s.source)::oid as id from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = ${plan}
    )
    select m.name, c.relrowsecurity as secured, p.source, (
        select coalesce(array_agg(o.polname::text order by o.polname), '{}') from pg_policy o
        where o.polrelid = c.oid and o.polcmd in ('r', '*') and o.polpermissive and not exists (
          select from pg_depend d join sources s on s.id = d.refobjid
          where d.classid = 'pg_policy'::regclass and d.objid = o.oid and d.refclassid = 'pg_class'::regclass)) as policies
    from unnest(${made}::text[]) m(name)
    join pg_class c on c.oid = to_regclass(m.name)
    join imago.plan p on p.name = ${plan}`;
  return open
    .filter(({ secured, policies }) => !secured || policies.length > 0)
    .map(({ name, secured, policies, source }) =>
      warning(
        'visible',
        secured
          ? `${name} is more visible than ${source}: its policy ${policies.join(', ')} does not ask for the row that it comes from`
          : `${name} is more visible than ${source}: it has no row level security`,
        `In the step that makes it: perform imago.show_as('${name}', '${source}', '{"<its column>": "<key of ${source}>"}', '{"<its column>": ["<column of ${source}>"]}');`,
      ),
    );
}
