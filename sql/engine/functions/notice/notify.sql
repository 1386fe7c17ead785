create or replace function imago.notify(run imago.run, event text, detail jsonb default '{}', once_since timestamptz default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  ways constant text[] := imago.notify_ways();
begin
  if ways = '{}' or current_setting('imago.dry', true) = 'on' or exists (
    select from imago.notice n where n.run = notify.run.id and n.event = notify.event and n.created_at >= once_since) then
    return;
  end if;
  insert into imago.notice (plan, run, event, way, detail)
  select run.plan, run.id, notify.event, w, jsonb_strip_nulls(detail) from unnest(ways) w;
  perform imago.send_notices();
exception when others or assert_failure then
  -- A word is never in the way of what it tells of.
  perform imago.write_log(run.plan, run.id, 'warning', 'notice_failed', jsonb_build_object('event', event), null, sqlstate);
end
$$;
comment on function imago.notify(imago.run, text, jsonb, timestamptz) is 'Tells people of a run, by the ways that are on. once_since: not again for what has been told since then. Never raises.';
