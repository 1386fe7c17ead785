create or replace function avatars.clean_avatars()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A column that holds values has stayed, with its guard.
  if not exists (select from pg_catalog.pg_trigger t where t.tgfoid = pg_catalog.to_regprocedure('public.expect_own_avatar()')) then
    drop function if exists public.expect_own_avatar();
  end if;
  return imago.drop_empty_table('avatars', 'public.avatars');
end
$$;
comment on function avatars.clean_avatars() is 'Clean-up step after a complete rollback: drops the guard''s function and the table avatars. The function where no column has it any more; the table if prepare added it and it is empty.';
