create or replace function imago.is_beside_app(run imago.run, governor imago.governor)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
begin
  return exists (
      select from imago.health h
      where h.run = run.id and h.others_at > now - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0) and h.others_at <= now)
    or exists (select from unnest(imago.read_activity(run, governor)) m where m.signal = 'active' and m.value > 0);
end
$$;
comment on function imago.is_beside_app(imago.run, imago.governor) is 'Whether anybody is there to be protected: others that write the plan''s tables, or sessions that are at work.';
