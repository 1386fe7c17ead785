import type { Sql } from 'postgres';

/**
 * Starts the run of a prepared avatars plan with so many lanes, where the engine would cut one: a test's few users are
 * enough then for callers to meet. The keys are md5s, so equal ranges hold about equally many.
 */
export async function startWithLanes(sql: Sql, lanes: number): Promise<void> {
  await sql.begin(async (tx) => {
    const [run] =
      await tx`insert into imago.run (plan, direction) values ('avatars', 'forward') returning id`;
    await tx`select imago.start_run(${run?.id})`;
    await tx`delete from imago.lane where run = ${run?.id}`;
    await tx`
      with bounds as (
        select n, (lpad(to_hex(n * 65536 / ${lanes}::int), 4, '0') || '0000-0000-0000-0000-000000000000') as key
        from generate_series(1, ${lanes}::int - 1) n
      )
      insert into imago.lane (run, pass, number, lower_key, upper_key)
      select ${run?.id}, pass, n, (select key from bounds b where b.n = lane.n - 1), (select key from bounds b where b.n = lane.n)
      from unnest(array['main', 'late']) pass, generate_series(1, ${lanes}::int) lane(n)`;
  });
}
