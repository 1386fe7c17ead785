create or replace function imago.trigger_name(plan text, kind text, part text default null)
returns text
language sql
immutable
set search_path = ''
as $$
  -- Triggers fire in the order of their names: the guard is the first of its kind, the others are the last.
  select case kind
    when 'guard' then '!imago_guard'
    when 'sync' then format('~imago_sync_%s_%s', plan, part)
    else '~imago_' || kind
  end
$$;
comment on function imago.trigger_name(text, text, text) is 'Name of our trigger of a kind: guard, insert, update, keep, or sync. Of a sync, its position and its event are the part.';
