create or replace function imago.cohort_sql(staged imago.plan, key text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  key_type constant text := coalesce(staged.key_type, imago.found_key_type(staged));
  taken imago.cohort_taken;
  conditions text[] := '{}';
  first integer;
begin
  select t.* into taken from imago.cohort_taken t where t.plan = staged.name;
  if not found or staged.closed_at is not null then
    return 'true';
  end if;
  first := imago.first_walked(staged);
  if staged.stage < first then
    -- What is done once before anybody is moved is done for all.
    return 'true';
  end if;
  if staged.stage = first and taken.percent > 0 then
    -- The first 32 bits of the hash, below so many of all 2^32: everybody can compute that, in any language.
    conditions := conditions || format(
      '(''x'' || left(encode(pg_catalog.sha256(pg_catalog.convert_to(%s, ''UTF8'')), ''hex''), 8))::bit(32)::bigint < %s',
      imago.text_of_key(key_type, key), ceil(taken.percent / 100 * 4294967296));
  end if;
  if staged.stage = first and taken.keys <> '{}' then
    conditions := conditions || imago.keys_match(imago.key_parts(key_type, key), key_type, format('(%L::%s[])', taken.keys, key_type));
  end if;
  return coalesce('(' || nullif(array_to_string(conditions || array(
    select format(E'exists (select from %s source where %s and (%s\n))', staged.source, imago.same_key(staged, 'source', key), c.condition)
    from imago.plan_cohort c
    where c.plan = staged.name and c.stage = staged.stage and c.name = any (taken.names)
    order by c.name), ' or '), '') || ')', 'false');
end
$$;
comment on function imago.cohort_sql(imago.plan, text) is 'SQL condition: runs of a plan take the entity of a stage that is named by an expression. true where they take all, false where nobody of the stage.';
