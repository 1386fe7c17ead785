create or replace function imago.is_added(plan text, object text, column_name text default null)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from imago.object_address(object, is_added.column_name) o
    cross join lateral imago.added_object(o.class, o.id, o.column_number) a
    where a.plan = is_added.plan)
$$;
comment on function imago.is_added(text, text, text) is 'For plans: whether the plan has added a table, an index, a type, a function or, with column_name, a column. By the notes of note_added and keep_trigger_function.

Example: select imago.is_added(''avatars'', ''public.posts'', ''avatar_id'')';
