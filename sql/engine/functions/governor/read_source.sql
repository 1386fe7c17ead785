create or replace function imago.read_source(source text, plan imago.plan, run imago.run, governor imago.governor, throttle imago.throttle)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
-- Written out, not called by a name that is put together: each query keeps its plan.
as $$
begin
  case source
    when 'operator' then return imago.read_operator(throttle);
    when 'query' then return imago.read_query(throttle);
    when 'activity' then return imago.read_activity(run, governor);
    when 'slots' then return imago.read_slots();
    when 'replicas' then return imago.read_replicas();
    when 'archive' then return imago.read_archive();
    when 'archiver' then return imago.read_archiver();
    when 'disk' then return imago.read_disk();
    when 'wal' then return imago.read_wal(governor);
    when 'checkpoints' then return imago.read_checkpoints(governor);
    when 'vacuum' then return imago.read_vacuum(plan);
    when 'pace' then return imago.read_pace(governor, run);
    else return '{}';
  end case;
end
$$;
comment on function imago.read_source(text, imago.plan, imago.run, imago.governor, imago.throttle) is 'Reads what is looked at together: a measurement for each thing that is there. Raises what reading it raises.';
