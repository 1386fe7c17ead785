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
    when 'note' then chr(1) || format('imago_%s_note', plan)
    when 'keep' then repeat(case when pg_catalog.getdatabaseencoding() = 'UTF8' then chr(1114111) else '~' end, 3) || format('imago_%s_keep', plan)
    -- After those of all plans that journal, or have the journal follow, what the statement has written.
    when 'sync' then format('~imago_~sync_%s_%s', plan, part)
    else format('~imago_%s_%s', plan, kind)
  end
$$;
comment on function imago.trigger_name(text, text, text) is 'Name of a plan''s trigger of a kind: guard, note, insert, update, walk, keep, or sync. Of a sync, its position and its event are the part.';
