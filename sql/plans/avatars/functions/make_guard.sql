create or replace function avatars.make_guard()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- In schema public and not in the plan's: it has to outlive Imago, as the columns do.
  create or replace function public.expect_own_avatar()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  as $body$
  begin
    if not exists (
      select from public.avatars a
      where a.id = (to_jsonb(new) ->> tg_argv[0])::uuid and a.owner_user_id = (to_jsonb(new) ->> tg_argv[1])::uuid) then
      raise exception using errcode = '42501',
        message = format('%s of %I must be an avatar of its %s', tg_argv[0], tg_table_name, tg_argv[1]);
    end if;
    return null;
  end
  $body$;
  comment on function public.expect_own_avatar() is 'Made by Imago: an avatar that a person writes into a row must belong to the owner of the row.';
  -- Looked up at each call: after clean-up it is another one.
  perform imago.keep_trigger_function('avatars', pg_catalog.to_regprocedure('public.expect_own_avatar()'));
end
$$;
comment on function avatars.make_guard() is 'Makes the function that guard_column has triggers call.';
