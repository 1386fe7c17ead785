create or replace function imago.end_status(run imago.run)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when run.state = 'succeeded' or run.state = 'failed' and run.error_code = 'set_aside' then 'done'
    else run.state
  end
$$;
comment on function imago.end_status(imago.run) is 'The status that callers of a run that has ended, or is paused, are answered: done, failed, cancelled or paused.';
