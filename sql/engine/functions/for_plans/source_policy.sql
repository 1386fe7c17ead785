create or replace function imago.source_policy()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'as visible as its source'
$$;
comment on function imago.source_policy() is 'For plans: the name of the policy that show_as makes.

Example: select imago.source_policy()';
