create or replace function imago.notify_held(run imago.run, governor imago.governor)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if governor.share > 0 or governor.held_since > clock_timestamp() - make_interval(secs => imago.setting_number('notify_held_s')) then
    return;
  end if;
  perform imago.notify(run, 'held', jsonb_build_object('held_since', governor.held_since, 'signals', (
    select string_agg(concat_ws(' ', r.signal, nullif(r.name, '')), ', ' order by r.signal) from imago.reading r where r.plan = run.plan and r.holds)),
    governor.held_since);
end
$$;
comment on function imago.notify_held(imago.run, imago.governor) is 'Tells people, once, that a run has been held for longer than notify_held_s.';
