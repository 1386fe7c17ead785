create or replace function imago.note_unfilled(setting text, state text, row_key text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  noted constant integer := substr(split_part(state, '|', 1), 2);
  chunk constant text := format('%s_%s_%s', setting, cardinality(string_to_array(state, '|')), noted / 100);
begin
  -- A hundred keys a setting: each note takes as long as the first.
  perform set_config(chunk, (case when noted % 100 = 0 then '{}' else current_setting(chunk) end::text[] || row_key)::text, true);
  perform set_config(setting, left(state, 1) || (noted + 1) || substr(state, 2 + length(noted::text)), true);
end
$$;
comment on function imago.note_unfilled(text, text, text) is 'Notes a row in which the app has written the column itself, in a statement of which other rows are filled. In settings, which end with the transaction.';
