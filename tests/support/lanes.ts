import type { Sql } from 'postgres';

/**
 * Starts a run of the prepared avatars plan with so many lanes, where the engine would cut one: a test's few users are
 * enough then for callers to meet. The keys are md5s, so equal ranges hold about equally many.
 */
export async function startWithLanes(
  sql: Sql,
  lanes: number,
  maxFailures: string | null = null,
): Promise<void> {
  await sql.begin(async (tx) => {
    const [row] = await tx`
      insert into imago.run (plan, direction, max_failures) values ('avatars', 'forward', ${maxFailures}) returning id`;
    const run = row?.id as string;
    await tx`select imago.start_run(${run})`;
    await tx`delete from imago.lane where run = ${run}`;
    await tx`
      with bounds as (
        select n, lpad(to_hex(n * 65536 / ${lanes}::int), 4, '0') || '0000-0000-0000-0000-000000000000' as key
        from generate_series(1, ${lanes}::int - 1) n
      )
      insert into imago.lane (run, pass, number, lower_key, upper_key)
      select ${run}, pass, lane.n,
        (select key from bounds b where b.n = lane.n - 1), (select key from bounds b where b.n = lane.n)
      from unnest(array['main', 'late']) pass, generate_series(1, ${lanes}::int) lane(n)`;
  });
}
