create or replace function imago.expect_small_journal(plan_name text, moves jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  large text;
begin
  -- Values are rewritten by one statement for each undo table. Where none ends it, it may take what it takes.
  if (select s.setting::integer = 0 from pg_catalog.pg_settings s where s.name = 'statement_timeout') then
    return;
  end if;
  select string_agg(distinct format('%s is %s', m.what, m.becomes), ', ') into large
  from (
    select m ->> 'relation' as relation, m ->> 'name' as name, m ->> 'kind' as kind,
      format('%s.%I', m ->> 'relation', m ->> 'name') || case m ->> 'kind' when 'label' then ' label ' || quote_literal(m ->> 'was') else '' end as what,
      case m ->> 'kind' when 'label' then quote_literal(m ->> 'becomes') else m ->> 'becomes' end || ' now' as becomes
    from jsonb_array_elements(moves) m
    where m ->> 'kind' in ('retyped', 'label')
  ) m
  join imago.plan_write w on w.plan = plan_name and w.undo_table is not null and imago.is_large(format('imago_undo.%I', w.undo_table))
  where w.relation = m.relation and (m.kind = 'label' or m.name = any (w.columns || w.key_columns || w.inserted_columns || w.deleted_columns))
    -- The entities of all tables of a stage have the type of its key.
    or exists (select from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = plan_name and s.source = m.relation and m.name = any (imago.key_names(s.key_column)));
  if large is not null then
    perform imago.raise_error('IM069', plan_name, large);
  end if;
end
$$;
comment on function imago.expect_small_journal(text, jsonb) is 'Refuses (IM069) to have a journal follow new types and labels within a call where it is large. Without a statement timeout it may be as large as it likes.';
