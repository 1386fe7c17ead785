create or replace function imago.kept_entities(write imago.plan_write, entities text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  record_type constant text := imago.record_type(write.plan, write.stage);
  result text[];
begin
  if coalesce(cardinality(imago.key_names(write.entity_column)), 1) = 1 then
    return entities;
  end if;
  execute format('select array_agg(%s order by u.n) from unnest($1) with ordinality u(e, n)',
    imago.text_of_key(record_type, 'u.e::' || record_type))
  into result using entities;
  return result;
end
$$;
comment on function imago.kept_entities(imago.plan_write, text[]) is 'Entities as the journal keeps them.';
