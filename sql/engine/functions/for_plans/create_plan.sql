create or replace function imago.create_plan(
  name text,
  title text,
  source_schema text,
  source_table text,
  key_column text,
  entity_singular text default null,
  entity_plural text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regnamespace(quote_ident(name)) is not null then
    perform imago.raise_error('IM012', format('schema %s', name));
  end if;
  insert into imago.plan (name, title, source_schema, source_table, key_column, entity_singular, entity_plural)
  values (
    create_plan.name, create_plan.title, create_plan.source_schema, create_plan.source_table, create_plan.key_column,
    create_plan.entity_singular, create_plan.entity_plural);
  insert into imago.governor (plan) values (create_plan.name);

  execute format('create schema %I', name);
  execute format('comment on schema %I is %L', name, format('Imago plan %s: %s.', name, title));
  execute format('revoke all on schema %I from public', name);
  -- What a plan may leave out. It replaces them by its own where it has more to say.
  execute format(
    'create function %I.preflight() returns setof imago.problem
     language sql stable set search_path = '''' as $sql$ select null, null, null, null, null where false $sql$', name);
  execute format('comment on function %I.preflight() is %L', name, 'What speaks against starting, besides what holds for every plan: nothing.');
  execute format(
    'create function %I.statistics() returns jsonb language sql stable set search_path = '''' as $sql$ select ''{}''::jsonb $sql$', name);
  execute format('comment on function %I.statistics() is %L', name, 'What get_migration_statistics adds for this plan: nothing.');
end
$$;
comment on function imago.create_plan(text, text, text, text, text, text, text) is 'For plans: registers a plan and makes its schema, with the functions that it may leave out. The first statement of schema.sql. Touches no table of the app.

Example: select imago.create_plan(''initials'', ''Initials for all users'', ''public'', ''users'', ''id'')';
