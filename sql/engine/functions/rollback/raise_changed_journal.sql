create or replace function imago.raise_changed_journal(relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise exception using errcode = '40001', message = 'the journal has changed while its entity was going back', table = relation;
end
$$;
comment on function imago.raise_changed_journal(text) is 'Has a sub-batch done again. The app has given a row to an entity since its journal was read, so that it is not restored.';
