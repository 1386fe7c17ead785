create or replace function imago.show_as(relation text, source text, link jsonb, origins jsonb default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  shown pg_catalog.pg_class;
  hidden pg_catalog.pg_class;
  reader record;
begin
  perform imago.close_table(relation);
  select c.* into strict shown from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass;
  select c.* into strict hidden from pg_catalog.pg_class c where c.oid = source::pg_catalog.regclass;
  -- Where nobody but the owner has a right on the source, nobody gets one here, and there is nothing to tell apart by row.
  if not shown.relrowsecurity and not hidden.relrowsecurity and not exists (select from imago.grantees(source)) then
    return;
  end if;

  execute format('alter table %s enable row level security', relation);
  -- An owner who does not bypass row level security could not fill it.
  if hidden.relforcerowsecurity and exists (
    select from pg_catalog.pg_roles r where r.oid = shown.relowner and (r.rolbypassrls or r.rolsuper)) then
    execute format('alter table %s force row level security', relation);
  end if;
  -- The policy is evaluated with the rights of who reads, so the policies of the source hold, and its grants.
  if exists (select from pg_catalog.pg_policy p where p.polrelid = relation::pg_catalog.regclass and p.polname = imago.source_policy()) then
    execute format('drop policy %I on %s', imago.source_policy(), relation);
  end if;
  execute format(
    'create policy %I on %s for select using ((select not pg_catalog.row_security_active(%L::pg_catalog.regclass))%s)',
    imago.source_policy(), relation, source,
    case when link <> '{}' then format(' or exists (select from %s s where %s)', source, (
      select string_agg(format('s.%I = %s.%I', l.value, relation, l.key), ' and ') from jsonb_each_text(link) l)) end);
  execute format('comment on policy %I on %s is %L', imago.source_policy(), relation,
    format('Made by Imago: a row is visible to those who see its row of %s.', source));

  for reader in select g.* from imago.grantees(source) g loop
    if reader.reads_all then
      execute format('grant select on table %s to %s', relation, reader.role);
    elsif imago.shown_columns(relation, source, link, origins, reader.role) <> '{}' then
      execute format('grant select (%s) on table %s to %s', (
        select string_agg(quote_ident(c), ', ') from unnest(imago.shown_columns(relation, source, link, origins, reader.role)) c),
        relation, reader.role);
    end if;
    -- Others could not write without a policy, and that is the app's to make.
    if reader.bypasses and reader.writes <> '{}' then
      execute format('grant %s on table %s to %s', array_to_string(reader.writes, ', '), relation, reader.role);
    end if;
  end loop;
end
$$;
comment on function imago.show_as(text, text, jsonb, jsonb) is 'For plans: shows a table that a step has just made as its source is shown, and to nobody else. Row by row: link says which of its columns equal which of the source, {} where its rows belong to no row of the source; then it is shown to those who see all rows of the source. Column by column: origins says from which columns of the source a column has its values; one that is not named is shown with the link. Who may not read the columns of the link reads nothing. Who bypasses row level security keeps their rights to write; nobody else gets any. The policy follows what becomes of the source''s policies; grants are those of this moment.

Example: select imago.show_as(''public.avatars'', ''public.users'', ''{"owner_user_id": "id"}'', ''{"name": ["display_name", "username"], "bio": ["bio"]}'')';
