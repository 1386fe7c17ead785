create or replace function imago_fleet.stop(rollout bigint, code text, reason text)
returns text
language plpgsql
set search_path = ''
as $$
begin
  update imago_fleet.rollout r set state = 'stopped', code = stop.code, reason = stop.reason where r.id = stop.rollout;
  perform imago_fleet.note(stop.rollout, 'stopped', stop.reason);
  return 'stopped';
end
$$;

comment on function imago_fleet.stop(bigint, text, text) is 'Stops a rollout where it is: members that are being worked end their batch, no other is begun.';
