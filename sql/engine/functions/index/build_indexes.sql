create or replace function imago.build_indexes(run imago.run, give_up_at timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
  built boolean := false;
  started timestamptz := clock_timestamp();
  -- The writers of each table that has got its index wait until the call ends.
  a_moment constant interval := '100 ms';
begin
  -- A rehearsal would keep writers waiting to its end, for an index that it takes back.
  if current_setting('imago.dry', true) = 'on' then
    return 'none';
  end if;
  loop
    select u.* into missing from imago.missing_indexes(run.plan) u where not u.is_left limit 1;
    exit when not found or built and clock_timestamp() > started + a_moment;
    if missing.bytes >= imago.setting_number('index_mb') * 1024 * 1024::bigint then
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, 'the table is too large to keep its writers waiting for one');
    elsif imago.build_index(run, missing.write_id, missing.relation, missing.column_name) then
      built := true;
    elsif clock_timestamp() < give_up_at then
      return 'deferred';
    else
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, 'a transaction that does not end writes the table', '55P03');
    end if;
  end loop;
  return case when not built then 'none' when clock_timestamp() > started + a_moment then 'built' else 'quick' end;
end
$$;
comment on function imago.build_indexes(imago.run, timestamptz) is 'Builds the indexes that rollback needs on columns that point at inserted rows. After the walk, since rows are moved without touching any index while that column has none. Outcome built (perhaps not all: call again), quick (all, within a moment), deferred (somebody writes a table; waited for until give_up_at) or none. Tables of index_mb or more are left to a person.';
