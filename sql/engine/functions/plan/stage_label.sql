create or replace function imago.stage_label(stage integer)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when stage = 1 then '{}' else jsonb_build_object('stage', stage) end
$$;
comment on function imago.stage_label(integer) is 'What a line of the log says about the stage: nothing for the first, which most plans have alone.';
