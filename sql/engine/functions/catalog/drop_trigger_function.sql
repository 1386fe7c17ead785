create or replace function imago.drop_trigger_function(routine regprocedure)
returns void
language plpgsql
volatile
set search_path = ''
set client_min_messages = 'warning'
as $$
declare
  own record;
begin
  -- Wherever they are: a partition may have been detached since.
  for own in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
    where t.tgfoid = routine and t.tgparentid = 0 and imago.is_owned(t.tgrelid::pg_catalog.regclass::text)
    order by t.tgrelid, t.tgname
  loop
    execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
  end loop;
  if routine is not null then
    execute format('drop function %s cascade', routine);
  end if;
end
$$;
comment on function imago.drop_trigger_function(regprocedure) is 'Drops a trigger function of ours with all of its triggers. Those on tables of others, too: only the owner of a table may drop a trigger on it, but the owner of a function may drop what depends on the function. Waits for the tables as long as lock_timeout allows.';
