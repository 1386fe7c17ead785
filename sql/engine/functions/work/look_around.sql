create or replace function imago.look_around(run imago.run, out others_write boolean, out is_turn boolean, out rest_until timestamptz)
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen imago.health;
  written bigint;
  others bigint;
  server_since constant timestamptz := imago.counting_since();
  now constant timestamptz := clock_timestamp();
begin
  -- One call looks, and has the row until it ends; who comes meanwhile takes what was seen before.
  select h.* into seen from imago.health h where h.run = run.id for update skip locked;
  is_turn := found;
  if is_turn then
    -- Sessions report what they have written a moment after they commit: this can be too little, never too much. A batch that was
    -- rolled back counts as somebody else's.
    written := imago.writes_counted(run.plan, own => false);
    others := written - (select coalesce(sum(l.written), 0) from imago.lane l where l.run = run.id);
    if written < seen.counted or seen.counting_since is distinct from server_since then
      -- The server counts from zero again, as after a crash: what was seen before is no measure any more.
      seen.others_written := null;
    end if;
    update imago.health h set
      counted = written,
      counting_since = server_since,
      others_written = greatest(seen.others_written, others),
      others_at = case when others > seen.others_written then now else seen.others_at end,
      since = case when seen.others_written is null or seen.since > now then now else seen.since end
    where h.run = run.id
    returning h.others_at, h.since into seen.others_at, seen.since;
  else
    select h.* into seen from imago.health h where h.run = run.id;
  end if;
  -- Longer than it ever rests: the clock has been put back.
  rest_until := case when seen.rest_until <= now + interval '5 s' then seen.rest_until end;
  others_write := case
    when seen.others_at > now - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0) and seen.others_at <= now then true
    when seen.others_written is not null and seen.since <= now - make_interval(secs => imago.setting_number('notice_ms') / 1000.0) then false
  end;
end
$$;
comment on function imago.look_around(imago.run, out boolean, out boolean, out timestamptz) is 'Whether others write the tables of a run''s plan, or have in the last quiet_ms. Null in the first notice_ms, which cannot say. is_turn: no other call is at it. rest_until: when the next may work beside them.';
