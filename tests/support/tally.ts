import type { Sql } from 'postgres';

/** Types that an entity can be keyed by. */
export type KeyType = 'uuid' | 'integer' | 'bigint' | 'text';

/**
 * The smallest plan there is: `tally` walks a table `items` keyed by any type and marks each row as done. `pending` is
 * the condition under which an item i has yet to be moved, `body` what apply does with the keys.
 */
export async function createTally(
  sql: Sql,
  keyType: KeyType,
  keys: (string | number)[],
  {
    table = 'items',
    key = 'id',
    pending = 'not i.done',
    body = '',
  }: { table?: string; key?: string; pending?: string; body?: string } = {},
): Promise<void> {
  const source = `public."${table}"`;
  await sql.begin(async (tx) => {
    await tx.unsafe(`
      create table ${source} ("${key}" ${keyType} primary key, label text, done boolean not null default false);
      create schema tally;
      create function tally.preflight() returns setof imago.problem
        language sql stable as 'select null, null, null, null, null where false';
      create function tally.statistics() returns jsonb language sql stable as $$ select '{}'::jsonb $$;
      create view tally.pending as select i."${key}" as entity from ${source} i where ${pending};
      create function tally.apply(keys ${keyType}[]) returns void language plpgsql as $$
      begin
        update ${source} i set done = true where i."${key}" = any (keys);
        ${body}
      end
      $$;`);
    await tx`
      insert into imago.plan (name, title, source_schema, source_table, key_column)
      values ('tally', 'Items are done', 'public', ${table}, ${key})`;
    await tx`
      insert into imago.plan_write (plan, position, relation, entity_column, columns)
      values ('tally', 1, ${source}, ${key}, '{done}')`;
    await tx.unsafe(
      `insert into ${source} ("${key}", label) select k::${keyType}, 'item' from unnest($1::text[]) k`,
      [keys.map(String)] as never[],
    );
    await tx.unsafe(`analyze ${source}`);
  });
}

/** How many items are not done yet. */
export async function itemsLeft(sql: Sql, table = 'items'): Promise<number> {
  const [row] = await sql<{ left: number }[]>`
    select count(*)::int as left from public.${sql(table)} where not done`;
  return row?.left ?? -1;
}
