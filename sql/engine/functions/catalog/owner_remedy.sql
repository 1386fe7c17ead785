create or replace function imago.owner_remedy(owner oid)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when imago.may_grant_role(r.oid) then format('grant %I to %I;', r.rolname, current_user)
    when r.rolsuper or r.rolname ~ '^(supabase_|pg_)' or r.rolname in ('authenticator', 'dashboard_user', 'pgbouncer') then
      'Only a superuser could change that, and Supabase gives you none. Keep what the plan writes in a table of your own that refers to this one; a plan may walk a table that it does not write.'
    else format('Have a role that may grant %1$I do it: grant %1$I to %2$I;', r.rolname, current_user) end
  from pg_catalog.pg_roles r where r.oid = owner_remedy.owner
$$;
comment on function imago.owner_remedy(oid) is 'What to do where something belongs to a role that the current user is no member of. What Supabase keeps for itself cannot be had.';
