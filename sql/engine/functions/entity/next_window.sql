create or replace function imago.next_window(plan imago.plan, batch_offset bigint, size integer, moved boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  first_key text;
  result bigint;
  pending constant text := format(
    'select %5$s from %1$I.pending p
     where %5$s not in (select imago.set_aside_keys($1, ''forward''))
       -- What no window can reach is left to the end of the run.
       and exists (select from %2$s s where %3$s) and %4$s', plan.name, plan.source, imago.same_key(plan, 's', 'p.entity'), imago.cohort_sql(plan, 'p.entity'),
    imago.text_of_key(plan.key_type, 'p.entity'));
  own constant text := imago.key_parts(plan.key_type, 'p.entity');
  boundary text;
begin
  execute format('select %s from %s s order by %s limit 1 offset $1', imago.text_of_key(plan.key_type, imago.key_of(plan, 's')), plan.source, imago.key_list(plan.key_column, 's'))
    into boundary using batch_offset + size;
  if boundary is not null then
    execute pending || format(' and (%1$s) >= (%2$s) order by %1$s limit 1', own, imago.key_parts(plan.key_type, '$2::' || plan.key_type)) into first_key using plan.name, boundary;
  end if;
  if first_key is null then
    execute pending || format(' order by %s limit 1', own) into first_key using plan.name;
  end if;
  if first_key is null then
    return null;
  end if;
  execute format('select count(*) from %s s where (%s) < (%s)', plan.source, imago.key_list(plan.key_column, 's'), imago.key_parts(plan.key_type, '$1::' || plan.key_type)) into result using first_key;
  return result;
exception when query_canceled then
  -- What the window has moved is worth more than knowing where the next one is; but going round in circles is worth nothing.
  if not imago.timed_out() or not moved then
    raise;
  end if;
  return case when boundary is null then 0 else batch_offset + size end;
end
$$;
comment on function imago.next_window(imago.plan, bigint, integer, boolean) is 'Offset of the first pending entity behind a window, else of the first anywhere; null when nothing is left. The truth, unless looking for it does not fit the call that has moved something: then simply the next offset.';
