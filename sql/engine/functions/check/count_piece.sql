create or replace function imago.count_piece(
  plan_check imago.plan_check,
  cursor_key text,
  last_key text,
  samples integer,
  whole boolean,
  out amount bigint,
  out keys text[],
  out facts jsonb
)
language plpgsql
stable
set search_path = ''
-- Pieces are small: each is an index range, also where statistics are old; whole tables are better read. The app keeps its other cores.
set enable_seqscan = off
set random_page_cost = 1.1
set jit = off
set max_parallel_workers_per_gather = 0
-- Hashes of a million rows fit in.
set work_mem = '64MB'
as $$
declare
  query text := imago.check_sql(plan_check);
  range text := imago.piece_range(plan_check, cursor_key, last_key);
begin
  -- The query may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  perform pg_catalog.set_config('enable_seqscan', case when whole then 'on' else 'off' end, true);
  perform pg_catalog.set_config('random_page_cost', case when whole then '1.1' else '0.1' end, true);
  if plan_check.counts then
    execute format(
      'with piece as materialized (select f.* from (%s) f where %s)
       select (select count(*) from piece where wrong),
         (select jsonb_object_agg(s.name, s.amount) from (
            select v.key as name, sum(v.value::bigint) as amount
            from piece p cross join lateral jsonb_each_text(to_jsonb(p) - ''key'' - ''entity'' - ''wrong'') v group by v.key) s)',
      query, range)
    into amount, facts using cursor_key, last_key;
  else
    execute format('select count(*) from (%s) f where %s', query, range) into amount using cursor_key, last_key;
  end if;
  keys := '{}';
  if amount > 0 and samples > 0 then
    execute format(
      'select coalesce(array_agg(k.key::text order by k.key), ''{}'') from (
         select f.key from (%s) f where %s%s order by f.key limit $3) k',
      query, range, case when plan_check.counts then ' and f.wrong' else '' end)
    into keys using cursor_key, last_key, samples;
  end if;
end
$$;
comment on function imago.count_piece(imago.plan_check, text, text, integer, boolean, out bigint, out text[], out jsonb) is 'What a check finds in one piece of its source: how many, some keys, and the numbers that it sums up. whole: the piece is most of the table.';
