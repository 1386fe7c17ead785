create or replace function imago.find_raiser(
  context text,
  sqlstate text,
  plan text default null,
  out raised_by text,
  out by_app boolean,
  out by_engine boolean
)
language plpgsql
stable
set search_path = ''
as $$
declare
  lines constant text[] := string_to_array(context, E'\n');
  frame record;
  place text;
  is_engine boolean;
  before integer := 0;
begin
  by_app := false;
  by_engine := false;
  for frame in select f.* from imago.error_frames(context, plan) f order by f.number loop
    -- What a capture trigger refuses is the doing of the code that wrote the rows.
    continue when raised_by is null and find_raiser.sqlstate = 'IM072' and frame.schema_name = 'imago_undo';
    is_engine := frame.schema_name in ('imago', 'imago_undo');
    if raised_by is null then
      by_engine := is_engine;
      -- Locks, time and room run out in the app's code as anywhere else: they are its own only where it says so itself.
      by_app := not imago.is_ours(frame.routine)
        and (frame.is_raise or left(find_raiser.sqlstate, 2) not in ('40', '53', '57') and find_raiser.sqlstate not in ('55P03', '55006'));
    end if;
    if is_engine then
      -- What a view does itself has no line of its own: the statement that reads it names it.
      raised_by := nullif(concat_ws(', called by ', raised_by, 'view ' || imago.view_in(lines[before + 1:frame.number::integer - 1], find_raiser.plan)), '');
    end if;
    exit when is_engine or length(raised_by) > 300;
    before := frame.number;
    place := format('%I.%I', frame.schema_name, frame.routine_name)
      || coalesce(case when frame.in_sql then ' statement ' else ' line ' end || frame.line, '')
      || coalesce(' (' || imago.triggers_of(frame.routine) || ')', '');
    raised_by := concat_ws(', called by ', raised_by, place);
  end loop;
end
$$;
comment on function imago.find_raiser(text, text, text, out text, out boolean, out boolean) is 'Who raised an error, by its context. Functions, lines and triggers, and the view that was read, up to the first of the engine; null where that raised it. by_app: the innermost function is the app''s, and what went wrong is its doing. by_engine: it is the engine''s.';
