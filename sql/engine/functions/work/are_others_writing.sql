create or replace function imago.are_others_writing(run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen imago.health;
  written bigint;
  others bigint;
begin
  -- One call looks; who comes meanwhile takes what was seen before.
  select h.* into seen from imago.health h where h.run = run.id for update skip locked;
  if found then
    -- Sessions report what they have written a moment after they commit: this can be too little, never too much. A batch that was
    -- rolled back counts as somebody else's.
    written := imago.writes_counted(run.plan, own => false);
    others := written - (select coalesce(sum(l.written), 0) from imago.lane l where l.run = run.id);
    if written < seen.counted then
      -- The statistics have been reset, as after a crash: what was seen before is no measure any more.
      seen.others_written := null;
    end if;
    update imago.health h set
      counted = written,
      others_written = greatest(seen.others_written, others),
      others_at = case when others > seen.others_written then clock_timestamp() else seen.others_at end
    where h.run = run.id
    returning h.others_at into seen.others_at;
  else
    select h.* into seen from imago.health h where h.run = run.id;
  end if;
  return case when seen.others_written is not null
    then coalesce(seen.others_at > clock_timestamp() - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0), false) end;
end
$$;
comment on function imago.are_others_writing(imago.run) is 'Whether others write the tables of a run''s plan, or have in the last quiet_ms. Null at the first look, and at the first after the server''s statistics were reset, which cannot say.';
