create or replace function imago.allows_data_loss()
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce(current_setting('imago.allow_data_loss', true), '') = 'on'
$$;
comment on function imago.allows_data_loss() is 'For finalize steps: whether the caller has said allow_data_loss.';
