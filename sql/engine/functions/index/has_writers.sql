create or replace function imago.has_writers(run imago.run, relation text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case
    when imago.others_seen(run) then true
    when exists (
      select from imago.health h
      where h.run = run.id and h.others_written is not null
        and h.since <= clock_timestamp() - make_interval(secs => imago.setting_number('notice_ms') / 1000.0)) then false
    -- Too early to know from what the calls of the run have seen.
    else imago.is_written(relation)
  end;
end
$$;
comment on function imago.has_writers(imago.run, text) is 'Whether others write the tables of a plan, or this one, so that they would wait while an index is built on it.';
