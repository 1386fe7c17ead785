create or replace function imago.read_signal(signal text, plan imago.plan, run imago.run, governor imago.governor, throttle imago.throttle)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
-- Written out, not called by a name that is put together: each query keeps its plan.
as $$
begin
  case signal
    when 'operator', 'hours', 'query' then return query select * from imago.read_operator(signal, throttle);
    when 'waiters' then return query select * from imago.read_waiters();
    when 'slot' then return query select * from imago.read_slots();
    when 'replica' then return query select * from imago.read_replicas();
    when 'replica_delay' then return query select * from imago.read_replica_delays();
    when 'archive' then return query select * from imago.read_archive();
    when 'archiver' then return query select * from imago.read_archiver();
    when 'disk' then return query select * from imago.read_disk();
    when 'wal' then return query select * from imago.read_wal(governor);
    when 'checkpoints' then return query select * from imago.read_checkpoints(governor);
    when 'vacuum' then return query select * from imago.read_vacuum(plan);
    when 'connections' then return query select * from imago.read_connections();
    when 'active' then return query select * from imago.read_active(governor);
    when 'pace' then return query select * from imago.read_pace(governor, run);
    when 'transaction' then return query select * from imago.read_transactions();
    else null;
  end case;
end
$$;
comment on function imago.read_signal(text, imago.plan, imago.run, imago.governor, imago.throttle) is 'Reads one signal: a row for each thing that was looked at. Raises what reading it raises.';
