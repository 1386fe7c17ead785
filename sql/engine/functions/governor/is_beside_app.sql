create or replace function imago.is_beside_app(plan text, run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return exists (
      select from imago.health h
      where h.run = run.id and h.others_at > clock_timestamp() - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0))
    or imago.active_others(plan) > 0;
end
$$;
comment on function imago.is_beside_app(text, imago.run) is 'Whether anybody is there to be protected: others that write the plan''s tables, or sessions that are at work.';
