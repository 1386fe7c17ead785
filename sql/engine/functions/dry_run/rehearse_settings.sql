create or replace function imago.rehearse_settings()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What is tried stays locked to the end, so that between two looks whether somebody waits little may happen.
  update imago.setting s set value = least(s.value::integer, n.most)::text
  from (values
    ('ddl_lock_timeout_ms', 200), ('lock_timeout_ms', 100), ('sub_batch_ms', 200),
    -- Building a larger index inside of the transaction would hold its table for seconds.
    ('direct_mb', 16),
    -- Nothing is proved that writers in flight could still change.
    ('writer_wait_ms', 0)) n(name, most)
  where s.name = n.name;
  -- Hours and rates are for what stays. Signals that are ignored are ignored here, too.
  update imago.throttle t set hours_from = null, hours_to = null, time_zone = null, max_per_second = null
  where t.hours_from is not null or t.max_per_second is not null;
  perform set_config('imago.dry', 'on', true);
end
$$;
comment on function imago.rehearse_settings() is 'The settings of a rehearsal: short waits and short sub-batches. Taken back with it.';
