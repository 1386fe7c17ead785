create or replace function imago.drop_forged_batch()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not imago.is_batch_open() then
    perform set_config('imago.batch', '', true);
  end if;
  return null;
end
$$;
comment on function imago.drop_forged_batch() is 'Statement trigger: forgets a forged imago.batch before any other trigger trusts it.';
