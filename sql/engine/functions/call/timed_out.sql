create or replace function imago.timed_out()
returns boolean
language sql
stable
set search_path = ''
as $$
  select s.setting::integer > 0
    and clock_timestamp() - statement_timestamp() >= make_interval(secs => 0.95 * s.setting::integer / 1000.0)
  from pg_catalog.pg_settings s where s.name = 'statement_timeout'
$$;
comment on function imago.timed_out() is 'Whether a cancel that was just caught was the statement timeout; otherwise a person asked for it.';
