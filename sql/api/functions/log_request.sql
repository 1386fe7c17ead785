create or replace function public.log_request(plan text, action text, caller text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.log_request(plan, action, caller);
end
$$;
comment on function public.log_request(text, text, text) is 'Imago: writes into migration_log who asked for what (event requested). The edge functions call it before they change anything.';
