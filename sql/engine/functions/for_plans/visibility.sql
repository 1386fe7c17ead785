create or replace function imago.visibility(plan text, relation text, source text, link jsonb, origins jsonb default '{}')
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  present constant boolean := pg_catalog.to_regclass(relation) is not null;
  -- One of the app's own stays as visible as the app has made it.
  own constant boolean := present and not imago.is_added(plan, relation);
  reader record;
  said boolean := false;
begin
  for reader in
    select g.role, c.columns, c.all_columns, s.policies as source_policies,
      case when present then imago.shown_rows(relation, g.role) when link = '{}' and s.policies is not null then '{}' else s.policies end as policies,
      array(select c from unnest(c.columns) c where c <> all (imago.shown_columns(relation, source, link, origins, g.role))) as more
    from imago.grantees(case when present then relation else source end) g
    cross join lateral (select imago.shown_rows(source, g.role) as policies) s
    cross join lateral (
      select g.reads_all as all_columns, case when present then array(
          select a.attname::text from pg_catalog.pg_attribute a
          where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
            and pg_catalog.has_column_privilege((parse_ident(g.role))[1], a.attrelid, a.attnum, 'select') order by 1)
        else imago.shown_columns(relation, source, link, origins, g.role) end as columns) c
    where c.columns <> '{}'
  loop
    said := true;
    if own and (reader.more <> '{}' or reader.policies is null and reader.source_policies is not null) then
      return query select 'warning', 'more_visible', relation,
        format('shows %s more than %s does: %s', reader.role, source, concat_ws(', ',
          case when reader.policies is null and reader.source_policies is not null then 'all rows' end,
          nullif(array_to_string(reader.more, ', '), ''))),
        'It is the app''s own and stays as it is, and the plan copies into it. Change its policies and grants before, if that is not meant.';
    else
      return query select 'notice', 'visibility', relation,
        format('%s %s %s of %s', reader.role, case when present then 'reads' else 'will read' end,
          case when reader.all_columns then 'all columns' else array_to_string(reader.columns, ', ') end,
          case when reader.policies is null then 'all rows' when reader.policies = '{}' then 'no row'
            else format('the rows that %s shows them (policy %s)', case when present then 'it' else source end,
              array_to_string(reader.policies, ', ')) end),
        null::text;
    end if;
  end loop;
  if not said then
    return query select 'notice', 'visibility', relation, 'is read by nobody but its owner and who bypasses grants', null::text;
  end if;
end
$$;
comment on function imago.visibility(text, text, text, jsonb, jsonb) is 'For plans: notices of preflight(), who will read which columns of which rows of a table that show_as shows. Arguments as there, behind the plan''s name. Of a table that is there: who does read it, with a warning where one that the app has made is more visible than its source.

Example: select * from imago.visibility(''avatars'', ''public.avatars'', ''public.users'', ''{"owner_user_id": "id"}'', ''{"bio": ["bio"]}'')';
