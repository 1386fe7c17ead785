create or replace function imago.preflight(plan imago.plan)
returns setof imago.problem
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Without it nothing there can be named, let alone looked at.
  return query
    select 'error', 'no_right', format('schema %I', s.name), format('%s may not use it', current_user),
      imago.schema_remedy(pg_catalog.to_regnamespace(quote_ident(s.name)), 'usage, create')
    from imago.named_schemas(plan) s(name)
    where not pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace(quote_ident(s.name)), 'usage');
  if found then
    return;
  end if;
  return query
    select f.severity, f.kind, f.object, f.message, f.hint
    from imago.found_problems(plan) with ordinality f(severity, kind, object, message, hint, n)
    group by f.severity, f.kind, f.object, f.message, f.hint
    order by min(f.n);
end
$$;
comment on function imago.preflight(imago.plan) is 'Everything that speaks against starting, as imago.problem. Takes no locks that anyone waits for.';
