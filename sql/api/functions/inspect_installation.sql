create or replace function public.inspect_installation()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select imago.installation()
$$;
comment on function public.inspect_installation() is 'Imago: what is installed: versions, functions, tables, triggers, undo tables, jobs, and who may use them. imago doctor compares it with what should be. Changes nothing.';
