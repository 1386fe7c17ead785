create or replace function imago.may_hold(relation text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  ms constant numeric := imago.index_hold_ms(relation);
begin
  return case
    when ms <= imago.setting_number('hold_ms') then true
    when imago.is_large(relation) then false
    -- A rehearsal holds what its steps before this one have locked: it does not stand and look.
    when current_setting('imago.dry', true) = 'on' then ms <= imago.setting_number('dry_run_wait_ms')
    else not imago.is_written(relation)
  end;
end
$$;
comment on function imago.may_hold(text) is 'For plans: whether a table may be read as a whole, or get an index, while its writers wait. They are expected to wait for at most hold_ms, or it is below direct_mb and nobody writes it. Looks for a second at who writes, where that decides. A direct step that answers false is run beside the app.

Example: select imago.may_hold(''public.posts'')';
