create or replace function imago.build_index(run imago.run, write_id integer, relation text, column_name text)
returns boolean
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
set maintenance_work_mem = '128MB'
as $$
declare
  started timestamptz := clock_timestamp();
begin
  begin
    perform set_config('lock_timeout', imago.index_wait_ms(relation)::text, true);
    -- One builder at a time; whoever was before us may have built it.
    perform from imago.plan_write w where w.id = write_id for update;
    if imago.index_of(relation, column_name) is null then
      execute format('create index on %s (%I) where %2$I is not null', relation, column_name);
      perform imago.note_added(run.plan, imago.index_of(relation, column_name)::text);
      perform imago.write_log(run.plan, run.id, 'info', 'index', jsonb_build_object(
        'relation', relation, 'column', column_name, 'ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000)));
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
comment on function imago.build_index(imago.run, integer, text, text) is 'Builds one of these indexes, partial, while the writers of its table wait; what does not work is left to a person. False when the table is not to be had within index_wait_ms.';
