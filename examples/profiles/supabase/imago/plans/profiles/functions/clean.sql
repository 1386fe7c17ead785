create or replace function profiles.clean()
returns void
language sql
volatile
set search_path = ''
as $$
  -- Prepare makes them again.
  drop view if exists profiles.concerned, profiles.pending;
  drop table if exists profiles.given;
$$;
comment on function profiles.clean() is 'Clean-up step: the views and the list. The profiles are the app''s own.';
