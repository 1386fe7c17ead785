create or replace function imago.sync_ending(sync imago.plan_sync)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  event text;
  explained json;
begin
  foreach event in array sync.events loop
    -- Planned here, so that a statement that does not fit the app's tables fails now and not in the app's writes.
    perform set_config('search_path', imago.app_search_path(), true);
    execute 'explain (verbose, format json) with recursive ' || format('imago_new as (select * from %1$s), imago_old as (select * from %1$s), ', sync.relation)
      || substr(imago.sync_query(sync, event, sync.statement), length('with recursive ') + 1)
    into explained;
    perform pg_catalog.set_config('search_path', '', true);
    if imago.sync_undeclared(sync, explained) is not null then
      perform imago.raise_error('IM036', sync.name, sync.plan, imago.sync_undeclared(sync, explained));
    end if;
  end loop;
  -- PL/pgSQL wants to be told of a statement that answers rows.
  return case
    when explained #>> '{0,Plan,Node Type}' = 'ModifyTable' and explained #> '{0,Plan,Output}' is null then '' else 'rows' end;
end
$$;
comment on function imago.sync_ending(imago.plan_sync) is 'How the statement of a sync ends in its function: rows, if it answers any. Fails where it does not fit the tables, or writes what is not declared (IM036).';
