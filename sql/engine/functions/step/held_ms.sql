create or replace function imago.held_ms(since timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Who changes rows only keeps others from the same rows.
  locks constant jsonb := (
    select jsonb_agg(h) from jsonb_array_elements(imago.locks_held()) h where h ->> 'mode' <> 'ROW EXCLUSIVE');
begin
  return case when locks is null then '{}' else jsonb_build_object(
    'held_ms', round(extract(epoch from clock_timestamp() - since)::numeric * 1000, 1), 'locks', locks) end;
end
$$;
comment on function imago.held_ms(timestamptz) is 'Fields of an answer, and of the log: how long a step has kept writers from the app''s tables. From which, and how, say locks; held_ms is what it was at most. Empty where it has not.';
