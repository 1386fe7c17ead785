create or replace function public.migrate_users_batch(batch_size integer default 100, batch_offset integer default 0)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.move_window('avatars', batch_size, batch_offset);
end
$$;
comment on function public.migrate_users_batch(integer, integer) is 'Imago: moves the users of one window over all users in key order. So (100,0), (100,100), … works whatever was moved before. next_offset leads to work that is left; has_more false means that none is.';
