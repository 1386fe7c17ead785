create or replace function imago.build_index(run imago.run, write_id integer, relation text, column_name text, expected_ms numeric)
returns boolean
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
set maintenance_work_mem = '128MB'
as $$
declare
  locked_at timestamptz;
  ms numeric;
begin
  begin
    perform set_config('lock_timeout', imago.index_wait_ms(relation)::text, true);
    -- One builder at a time; the one before us may have built it.
    perform from imago.plan_write w where w.id = write_id for update;
    if exists (select from imago.unindexed_tables(relation, column_name)) then
      execute format('lock table %s in share mode', relation);
      locked_at := clock_timestamp();
      execute format('create index on %s (%I) where %2$I is not null', relation, column_name);
      ms := extract(epoch from clock_timestamp() - locked_at) * 1000;
      -- A small table tells nothing of a large one.
      if expected_ms >= 20 then
        update imago.plan_write w set index_pace = coalesce((select max(o.index_pace) from imago.plan_write o), 1) * ms / expected_ms where w.id = write_id;
      end if;
      perform imago.note_added(run.plan, imago.index_of(relation, column_name)::text);
      perform imago.write_log(run.plan, run.id, 'info', 'index', jsonb_build_object('relation', relation, 'column', column_name, 'ms', round(ms)));
    end if;
    return true;
  exception
    when lock_not_available or deadlock_detected then
      perform imago.write_log(run.plan, run.id, 'warning', 'index_deferred',
        jsonb_build_object('relation', relation, 'column', column_name), null, sqlstate);
      return false;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.leave_index_to_person(run, write_id, column_name, 'building it does not fit a call', sqlstate);
    when others then
      perform imago.leave_index_to_person(run, write_id, column_name, 'it could not be built', sqlstate);
  end;
  return true;
end
$$;
comment on function imago.build_index(imago.run, integer, text, text, numeric) is 'Builds one of these indexes, partial, while the writers of its table wait; what does not work is left to a person. False when the table is not to be had within index_wait_ms. How long it took is noted: it is what the next one is expected to take.';
