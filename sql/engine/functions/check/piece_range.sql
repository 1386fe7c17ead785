create or replace function imago.piece_range(plan_check imago.plan_check, cursor_key text, last_key text)
returns text
language sql
stable
set search_path = ''
as $$
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  select coalesce(nullif(concat_ws(' and ',
    case when cursor_key is not null then format('f.key > $1::%s', k.type) end,
    case when last_key is not null then format('f.key <= $2::%s', k.type) end), ''), 'true')
  from imago.walked_key(plan_check) k
$$;
comment on function imago.piece_range(imago.plan_check, text, text) is 'SQL condition: f.key lies in the piece after $1 up to $2.';
