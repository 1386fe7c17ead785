create or replace function imago.build_indexes(run imago.run, give_up_at timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
  way text;
  built boolean := false;
  started timestamptz := clock_timestamp();
  -- The writers of each table that has got its index wait until the call ends.
  a_moment constant interval := make_interval(secs => imago.setting_number('hold_ms') / 1000.0);
begin
  -- A rehearsal would keep writers waiting to its end, for an index that it takes back.
  if current_setting('imago.dry', true) = 'on' then
    return 'none';
  end if;
  perform imago.adopt_indexes(run.plan);
  loop
    select u.* into missing from imago.missing_indexes(run.plan) u where not u.is_left limit 1;
    exit when not found;
    if built and clock_timestamp() + make_interval(secs => missing.ms / 1000.0) > started + a_moment then
      return 'built';
    end if;
    way := imago.index_way(run, missing.relation, missing.bytes, missing.ms);
    if way = 'job' then
      return case when built then 'built' else 'indexing' end;
    elsif way <> 'call' then
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, case way
        when 'large' then 'the table is too large to keep its writers waiting for one'
        when 'written' then 'its writers would wait while it is built'
        else 'it is built over the database connection' end, level => case way when 'connection' then 'info' else 'warning' end);
    elsif imago.build_index(run, missing.write_id, missing.relation, missing.column_name, missing.ms) then
      built := true;
    elsif clock_timestamp() < give_up_at then
      return 'deferred';
    else
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, 'a transaction that does not end writes the table', '55P03');
    end if;
  end loop;
  return case when not built then 'none' when imago.others_seen(run) or clock_timestamp() > started + a_moment then 'built' else 'quick' end;
end
$$;
comment on function imago.build_indexes(imago.run, timestamptz) is 'Builds the indexes that rollback needs on columns that point at inserted rows. After the walk, since rows are moved without touching any index while that column has none. Outcome built (perhaps not all: call again), quick (all, within hold_ms, and nobody else writes), deferred (somebody writes a table; waited for until give_up_at), indexing (pg_cron has to build one) or none. What writers would wait for longer than hold_ms is left to others, as index_way says.';
