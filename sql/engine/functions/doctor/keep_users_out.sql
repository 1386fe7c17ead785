create or replace function imago.keep_users_out(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  own record;
begin
  -- Not by lock table, which locks what a view reads, too: the tables of the app.
  for own in
    select c.oid::regclass as relation, c.relowner::regrole as owner
    from pg_class c
    where c.relnamespace = to_regnamespace(quote_ident(plan_name)) and c.relkind in ('v', 'm', 'r', 'p', 'f')
    order by c.oid
  loop
    execute format('alter table %s owner to %s', own.relation, own.owner);
  end loop;
end
$$;
comment on function imago.keep_users_out(text) is
  'Lets nobody make a view on a plan''s relations until the transaction ends; waits for who is at it.';
