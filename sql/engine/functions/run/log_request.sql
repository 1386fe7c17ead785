create or replace function imago.log_request(plan_name text, action text, caller text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  if coalesce(action, '') !~ '^[a-z_]{1,40}$' then
    perform imago.raise_error('IM015', 'action', coalesce(left(action, 40), 'null'), 'a name in lower case');
  end if;
  if coalesce(caller, '') !~ '^(key|user):[^[:cntrl:]]{1,200}$' then
    perform imago.raise_error('IM015', 'caller', coalesce(left(caller, 40), 'null'), 'key:<name of the key> or user:<id>');
  end if;
  -- What was asked for then waits, and is asked for again.
  if imago.read_only_reason(moving => false) is null then
    perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, 'info', 'requested',
      jsonb_build_object('action', action, 'caller', caller));
  end if;
  return jsonb_build_object('plan', plan_name, 'action', action, 'caller', caller);
end
$$;
comment on function imago.log_request(text, text, text) is 'Logs who has asked for what.';
