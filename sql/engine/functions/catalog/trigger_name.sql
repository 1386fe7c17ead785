create or replace function imago.trigger_name(plan text, kind text, part text default null)
returns text
language sql
immutable
set search_path = ''
as $$
  -- Any number of plans may share a table, so each name carries the plan. Triggers fire in the order of their names' bytes: no
  -- character sorts before that of the note, which sees a row as the statement wrote it, or behind that of the keeper, which has
  -- the last word on it.
  select case kind
    when 'guard' then format('!imago_%s_guard', plan)
    when 'begin' then format('!imago_%s_begin_%s', plan, part)
    when 'note' then chr(1) || format('imago_%s_note', plan)
    when 'give' then chr(1) || format('imago_%s_give', plan)
    when 'same' then c.last || format('imago_%s_same', plan)
    when 'keep' then c.last || format('imago_%s_keep', plan)
    when 'fill' then c.last || format('imago_%s_fill_%s', plan, part)
    -- After those of all plans that journal, or have the journal follow, what the statement has written.
    when 'sync' then format('~imago_~sync_%s_%s', plan, part)
    else format('~imago_%s_%s', plan, kind)
  end
  from (select repeat(case when pg_catalog.getdatabaseencoding() = 'UTF8' then chr(1114111) else '~' end, 3) as last) c
$$;
comment on function imago.trigger_name(text, text, text) is 'Name of a plan''s trigger of a kind: guard, note, insert, update, delete, walk, keep, give, same, or sync. Of a sync, its position and its event are the part.';
