create or replace function staging_to_production.clear_comments()
returns void
language sql
volatile
set search_path = ''
as $$
  select imago.forget_added('staging_to_production', format('public.%I', added.name))
  from (select name from staging_to_production.new_tables() union all select name from staging_to_production.new_types()) added
$$;
comment on function staging_to_production.clear_comments() is 'Finalize step: the new tables and types are the app''s own now; the comments that they got from Imago go.';
