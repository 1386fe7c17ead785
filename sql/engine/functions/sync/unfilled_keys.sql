create or replace function imago.unfilled_keys(setting text, state text)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  noted constant integer := substr(split_part(state, '|', 1), 2);
begin
  return array(
    select unnest(current_setting(format('%s_%s_%s', setting, cardinality(string_to_array(state, '|')), n))::text[])
    from generate_series(0, (noted - 1) / 100) n);
end
$$;
comment on function imago.unfilled_keys(text, text) is 'The rows that note_unfilled has noted in a statement.';
