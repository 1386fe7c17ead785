create or replace function imago.bad_keys(plan imago.plan, segment text[], attempt imago.attempt)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  free text[];
  result text[];
begin
  if attempt.bad_keys is not null then
    return attempt.bad_keys;
  end if;
  if cardinality(segment) = 1 then
    return segment;
  end if;
  if attempt.outcome <> 'blocked' then
    return '{}';
  end if;
  free := imago.lock_entities(plan, segment, true);
  execute format(
    'select coalesce(array_agg(k.text order by k.key), ''{}'') from (select %s as key, %s as text from %s s where %s) k where k.text <> all ($2)',
    imago.key_of(plan, 's'), imago.text_of_key(plan.key_type, imago.key_of(plan, 's')), plan.source,
    imago.keys_match(imago.key_list(plan.key_column, 's'), plan.key_type, format('($1::%s[])', plan.key_type)))
  into result using segment, free;
  return result;
end
$$;
comment on function imago.bad_keys(imago.plan, text[], imago.attempt) is 'The entities of a failed segment that are known to be the cause; empty when only halving can tell.';
